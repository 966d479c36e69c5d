//! `get`: services in a table.

use std::collections::BTreeMap;

use futures::StreamExt;
use jiff::Timestamp;
use kube::Api;
use kube::api::ListParams;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};

use crate::api::v1alpha1::Microservice;

use super::failure::{Failure, Result, answered, explain, is_lasting};
use super::format::{self, Format};
use super::screen::{Screen, Tone, Word};
use super::session::{Session, put};
use super::table::{self, Columns};
use super::watch::{Canvas, TICK};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl microservice get
  kubectl microservice get -A -o wide
  kubectl microservice get orders billing -w
  kubectl microservice get -l app.kubernetes.io/part-of=shop -o name")]
pub struct Args {
    /// Services; all of the namespace when none is named
    #[arg(value_name = "NAME", value_parser = super::name)]
    names: Vec<String>,
    /// Services of all namespaces
    #[arg(short = 'A', long, conflicts_with = "names")]
    all_namespaces: bool,
    /// Look on, and show changes
    #[arg(short, long)]
    watch: bool,
    /// Only those with these labels of the Microservice
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "names")]
    selector: Option<String>,
    /// How to print
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    output: Format,
}

impl Args {
    pub async fn run(&self, session: &Session) -> Result<()> {
        let api = if self.all_namespaces { Api::all(session.client.clone()) } else { session.services() };
        if self.watch { self.watch(session, api).await } else { self.list(session, &api).await }
    }

    async fn list(&self, session: &Session, api: &Api<Microservice>) -> Result<()> {
        let mut services = Vec::new();
        let mut missing = None;
        if self.names.is_empty() {
            let params = ListParams { label_selector: self.selector.clone(), ..ListParams::default() };
            services = api.list(&params).await.map_err(|error| explain("list Microservices", &error))?.items;
        }
        for name in &self.names {
            match session.service(name).await {
                Ok(service) => services.push(service),
                Err(failure) if missing.is_none() => missing = Some(failure),
                Err(failure) => _ = failure.report(),
            }
        }
        let shown: Vec<&Microservice> = services.iter().collect();
        let text = format::objects(self.output, RESOURCE, &services, self.names.len() == 1)?;
        match text {
            Some(text) => put(&text)?,
            None if services.is_empty() && missing.is_none() => eprintln!("{}", self.nothing(session)),
            None if services.is_empty() => {}
            None => session.paper.show(&self.drawn(&shown))?,
        }
        missing.map_or(Ok(()), Err)
    }

    const fn columns(&self) -> Columns {
        Columns { everywhere: self.all_namespaces, wide: matches!(self.output, Format::Wide) }
    }

    fn drawn(&self, services: &[&Microservice]) -> Screen {
        self.columns().table(services, Timestamp::now())
    }

    fn nothing(&self, session: &Session) -> String {
        let place = if self.all_namespaces { "any namespace".to_owned() } else { format!("the namespace {}", session.namespace) };
        let which = if self.selector.is_some() { " with these labels" } else { "" };
        format!("There is no Microservice{which} in {place}.")
    }

    async fn watch(&self, session: &Session, api: Api<Microservice>) -> Result<()> {
        let config = watcher::Config { label_selector: self.selector.clone(), ..watcher::Config::default() };
        let mut events = watcher(api, config).default_backoff().boxed();
        let mut view = View {
            args: self,
            session,
            canvas: Canvas::new(session.paper),
            services: BTreeMap::new(),
            widths: table::widths(self.all_namespaces),
            printed: BTreeMap::new(),
            listed: false,
        };
        loop {
            let event = if session.paper.terminal {
                match tokio::time::timeout(TICK, events.next()).await {
                    Ok(event) => event,
                    Err(_) => {
                        view.redraw()?;
                        continue;
                    }
                }
            } else {
                events.next().await
            };
            match event {
                None => return Ok(()),
                Some(Ok(event)) => view.heed(event)?,
                Some(Err(error)) => {
                    if let Some(status) = is_lasting(&error) {
                        return Err(Failure::Refused(answered("watch Microservices", status)));
                    }
                }
            }
        }
    }
}

/// As kubectl names it.
const RESOURCE: &str = "microservice.microservices.dev";

/// What a watch has seen.
struct View<'a> {
    args: &'a Args,
    session: &'a Session,
    canvas: Canvas,
    services: BTreeMap<(String, String), Microservice>,
    widths: Vec<usize>,
    /// Rows as they were last printed, without the age.
    printed: BTreeMap<(String, String), Vec<Word>>,
    /// The first list is complete.
    listed: bool,
}

impl View<'_> {
    fn heed(&mut self, event: Event<Microservice>) -> Result<()> {
        match event {
            Event::Init => self.services.clear(),
            Event::InitApply(service) => self.keep(service),
            Event::InitDone if !self.listed => {
                self.listed = true;
                self.first()?;
            }
            Event::InitDone => self.redraw()?,
            Event::Apply(service) if self.wants(&service) => {
                let told = service.clone();
                self.keep(service);
                self.tell(&told)?;
            }
            Event::Delete(service) => {
                self.services.remove(&key(&service));
                self.redraw()?;
            }
            Event::Apply(_) => {}
        }
        Ok(())
    }

    fn wants(&self, service: &Microservice) -> bool {
        let name = service.metadata.name.as_ref();
        self.args.names.is_empty() || self.args.names.iter().any(|wanted| Some(wanted) == name)
    }

    fn keep(&mut self, service: Microservice) {
        if self.wants(&service) {
            self.services.insert(key(&service), service);
        }
    }

    fn in_place(&self) -> bool {
        self.session.paper.terminal && matches!(self.args.output, Format::Table | Format::Wide)
    }

    fn redraw(&mut self) -> Result<()> {
        if !self.in_place() {
            return Ok(());
        }
        let services: Vec<&Microservice> = self.services.values().collect();
        let screen = self.args.drawn(&services);
        self.canvas.draw(&screen)
    }

    fn first(&mut self) -> Result<()> {
        if self.in_place() {
            return self.redraw();
        }
        let services: Vec<Microservice> = self.services.values().cloned().collect();
        if matches!(self.args.output, Format::Table | Format::Wide) {
            let names = services.iter().map(|service| self.columns().row(service, Timestamp::now()));
            // Nothing is printed of these yet; they only make the columns as wide as they will be.
            Screen::default().rows(names.collect(), &mut self.widths);
            self.append(self.columns().header())?;
        }
        services.iter().try_for_each(|service| self.tell(service))
    }

    /// Shows one that changed, unless what changed is not shown.
    fn tell(&mut self, service: &Microservice) -> Result<()> {
        if self.in_place() {
            return self.redraw();
        }
        match format::objects(self.args.output, RESOURCE, std::slice::from_ref(service), true)? {
            Some(text) if self.args.output == Format::Yaml => put(&format!("---\n{text}")),
            Some(text) => put(&text),
            None => {
                let row = self.columns().row(service, Timestamp::now());
                let lasting = row.iter().filter(|word| word.tone != Tone::Quiet).cloned().collect();
                if self.printed.get(&key(service)) == Some(&lasting) {
                    return Ok(());
                }
                self.printed.insert(key(service), lasting);
                self.append(row)
            }
        }
    }

    const fn columns(&self) -> Columns {
        self.args.columns()
    }

    fn append(&mut self, row: Vec<Word>) -> Result<()> {
        let mut screen = Screen::default();
        screen.rows(vec![row], &mut self.widths);
        self.session.paper.show(&screen)
    }
}

fn key(service: &Microservice) -> (String, String) {
    (service.metadata.namespace.clone().unwrap_or_default(), service.metadata.name.clone().unwrap_or_default())
}
