//! `process_*` metrics under the names that every Prometheus client uses, read from `/proc` when they are asked for.
//! Where there is no `/proc` they are absent.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Ticks of `/proc` per second: `USER_HZ`, which Linux fixes at 100 on x86-64 and arm64 alike. Asking `sysconf` would
/// need unsafe code.
const TICKS_PER_SECOND: f64 = 100.0;

/// The collector.
#[derive(Debug)]
pub struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> std::fmt::Result {
        let readings = Readings::take();
        if let Some(seconds) = readings.cpu_seconds {
            let metric = ConstCounter::new(seconds);
            let help = "CPU time used, in user and system mode together.";
            metric.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, metric.metric_type())?)?;
        }
        let gauges = [
            ("process_resident_memory_bytes", "Memory in use that lies in RAM.", readings.resident),
            ("process_virtual_memory_bytes", "Address space in use; says little about memory.", readings.virtual_),
            ("process_open_fds", "Open file descriptors: about one for each watch and each request under way.", readings.open_fds),
            ("process_max_fds", "Most file descriptors that may be open.", readings.max_fds),
            ("process_start_time_seconds", "When the process started, in seconds since 1970.", readings.started),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                let metric = ConstGauge::new(value);
                metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default, PartialEq)]
struct Readings {
    cpu_seconds: Option<f64>,
    resident: Option<f64>,
    virtual_: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
    started: Option<f64>,
}

impl Readings {
    fn take() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let machine = fs::read_to_string("/proc/stat").unwrap_or_default();
        let open = fs::read_dir("/proc/self/fd").ok().map(Iterator::count).and_then(|n| u32::try_from(n).ok());
        Self {
            cpu_seconds: cpu_seconds(&stat),
            resident: kilobytes(&status, "VmRSS:"),
            virtual_: kilobytes(&status, "VmSize:"),
            // The folder that is being read is itself open.
            open_fds: open.map(|n| f64::from(n.saturating_sub(1))),
            max_fds: max_fds(&limits),
            started: started(&stat, &machine),
        }
    }
}

/// A line of `/proc/self/status` in kB, as bytes.
fn kilobytes(status: &str, label: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(label))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? * 1024.0)
}

/// Fields of `/proc/self/stat` after the command, which is in brackets and may hold anything. The first is number 3.
fn stat_field(stat: &str, number: usize) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// `utime` and `stime`, fields 14 and 15.
fn cpu_seconds(stat: &str) -> Option<f64> {
    Some((stat_field(stat, 14)? + stat_field(stat, 15)?) / TICKS_PER_SECOND)
}

/// `starttime`, field 22, is in ticks since the machine started.
fn started(stat: &str, machine: &str) -> Option<f64> {
    let boot: f64 = machine.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(boot + stat_field(stat, 22)? / TICKS_PER_SECOND)
}

fn max_fds(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4242 (od) name ) S 1 4242 4242 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 6 0 123400 9000000 2500 \
                        18446744073709551615 1 1 0 0 0 0 0 4096 17";

    #[test]
    fn fields_are_found_behind_a_command_with_brackets_and_spaces() {
        assert_eq!(cpu_seconds(STAT), Some(3.0));
        assert_eq!(started(STAT, "cpu 1 2\nbtime 1700000000\nprocesses 9\n"), Some(1_700_001_234.0));
        assert_eq!(cpu_seconds(""), None);
    }

    #[test]
    fn sizes_are_in_bytes_and_an_unlimited_number_is_absent() {
        assert_eq!(kilobytes("VmSize:\t  10 kB\nVmRSS:\t    2048 kB\n", "VmRSS:"), Some(2_097_152.0));
        assert_eq!(max_fds("Limit Soft Hard\nMax open files            1024        4096      files\n"), Some(1024.0));
        assert_eq!(max_fds("Max open files            unlimited        unlimited      files\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_plausible_numbers() {
        let readings = Readings::take();
        assert!(readings.resident > Some(500_000.0) && readings.resident < Some(4e9), "{readings:?}");
        assert!(readings.virtual_ >= readings.resident, "{readings:?}");
        assert!(readings.open_fds > Some(2.0) && readings.open_fds < readings.max_fds, "{readings:?}");
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let age = now - readings.started.unwrap();
        assert!((-2.0..86_400.0).contains(&age), "{age}");
    }
}
