//! `tree` and `why`: fetched, and drawn.

use jiff::Timestamp;

use super::brief::Brief;
use super::failure::Result;
use super::family::Family;
use super::session::{Session, put};
use super::watch::{Canvas, Changes};
use super::{tree, why};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl microservice tree orders
  kubectl microservice tree orders -w          # drawn over on a terminal; in a pipe, a line for each change")]
pub struct TreeArgs {
    /// The service
    #[arg(value_parser = super::name)]
    name: String,
    /// Look on, and show changes
    #[arg(short, long)]
    watch: bool,
}

impl TreeArgs {
    pub async fn run(&self, session: &Session) -> Result<()> {
        let mut root = self.fetch(session).await?;
        if !self.watch {
            return session.paper.show(&tree::draw(&root));
        }
        let mut changes = Changes::of(session, &self.name);
        let mut canvas = Canvas::new(session.paper);
        let mut told = Vec::new();
        loop {
            if session.paper.terminal {
                canvas.draw(&tree::draw(&root))?;
            } else {
                let parts = tree::parts(&root);
                let time = Timestamp::now().strftime("%H:%M:%SZ ").to_string();
                let lines: String = tree::changes(&told, &parts).iter().map(|line| time.clone() + line + "\n").collect();
                put(&lines)?;
                told = parts;
            }
            changes.wait(session.paper).await?;
            root = self.fetch(session).await?;
        }
    }

    async fn fetch(&self, session: &Session) -> Result<tree::Node> {
        let family = Family::fetch(session, session.service(&self.name).await?).await;
        let brief = Brief::of(&family.object, Timestamp::now(), &session.flag);
        Ok(tree::tree(&family, &brief))
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kubectl microservice why orders")]
pub struct WhyArgs {
    /// The service
    #[arg(value_parser = super::name)]
    name: String,
}

impl WhyArgs {
    pub async fn run(&self, session: &Session) -> Result<()> {
        let family = Family::fetch(session, session.service(&self.name).await?).await;
        let brief = Brief::of(&family.object, Timestamp::now(), &session.flag);
        session.paper.show(&why::answer(&family, &brief))
    }
}
