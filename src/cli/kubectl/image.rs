//! `set image`: another version, by hand.

use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::failure::Result;
use super::screen::{Screen, Tone, plain, word};
use super::session::{MANAGER, Session};

/// Field managers of tools that put back what they find changed, by the beginnings of their names.
const TOOLS: [(&str, &str); 7] = [
    ("argocd", "Argo CD"),
    ("kustomize-controller", "Flux"),
    ("helm-controller", "Flux"),
    ("flux", "Flux"),
    ("helm", "Helm"),
    ("pulumi", "Pulumi"),
    ("terraform", "Terraform"),
];

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kubectl microservice set image orders ghcr.io/acme/orders:1.4.3")]
pub struct Args {
    /// The service
    #[arg(value_parser = super::name)]
    name: String,
    /// The image, by tag or digest
    #[arg(value_parser = reference)]
    image: String,
}

impl Args {
    pub async fn run(&self, session: &Session) -> Result<()> {
        let patch = json!({"spec": {"image": self.image}});
        let edit = |before: &crate::api::v1alpha1::Microservice| Ok((patch.clone(), (before.spec.image.clone(), tool(&before.metadata))));
        let (_, (before, tool)) = session.change(&self.name, edit).await?;
        session.paper.show(&answer(&self.name, &before, &self.image, tool, &session.flag))
    }
}

/// What cannot be an image at all; the rest is for the server to judge.
fn reference(text: &str) -> std::result::Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err(format!("{text:?} is not an image; write for example ghcr.io/acme/orders:1.4.3"));
    }
    Ok(text.to_owned())
}

/// What was done, and who would undo it.
pub fn answer(name: &str, before: &str, image: &str, tool: Option<(String, &str)>, flag: &str) -> Screen {
    let mut screen = Screen::default();
    if before == image {
        screen.line([plain(format!("{name} has the image {image} already; nothing changes."))]);
        return screen;
    }
    screen.line([word(Tone::Strong, name), plain(format!(": image {before} is now {image}"))]);
    if let Some((manager, tool)) = tool {
        let text = format!(
            "{tool} ({manager}) manages spec.image, and will put its own value back at its next run. Change the image where {tool} reads it, or stop its synchronisation first."
        );
        screen.prose(word(Tone::Busy, "Warning: "), Tone::Plain, &text);
    }
    screen.line([plain("Look on with: "), word(Tone::Strong, format!("kubectl microservice tree {name}{flag} -w"))]);
    screen
}

/// The tool that manages the image, by its field manager, if one does.
pub fn tool(metadata: &ObjectMeta) -> Option<(String, &'static str)> {
    let owners = metadata.managed_fields.iter().flatten().filter(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.and_then(|fields| fields.get("f:spec")?.get("f:image")).is_some_and(Value::is_object)
    });
    owners
        .filter_map(|entry| entry.manager.as_deref())
        .filter(|manager| *manager != MANAGER)
        .find_map(|manager| TOOLS.into_iter().find(|(prefix, _)| manager.starts_with(prefix)).map(|(_, tool)| (manager.to_owned(), tool)))
}
