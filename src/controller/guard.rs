//! A panic in the plan of one object is that object's trouble, not the operator's.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a pure function; a panic becomes its message. The functions behind it only read, so nothing half-changed can
/// be seen afterwards.
pub fn guarded<T>(function: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(function)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("no message").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn a_panic_becomes_its_message_and_a_value_passes() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(guarded(|| -> i32 { panic!("index {} of {}", 4, 3) }), Err("index 4 of 3".to_owned()));
        assert_eq!(guarded(|| -> i32 { panic!("plain") }), Err("plain".to_owned()));
    }
}
