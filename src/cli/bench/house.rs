//! The service from its files, with gateways that are watched and sent nothing. What they are probed at is given.

use super::mass::{Folder, folder};
use crate::core::channel::Channel;
use crate::runtime::site::{Door, Site};
use std::fmt::Write;
use std::net::SocketAddr;

/// A service from its files, and the folder with them.
pub(super) struct House {
    pub(super) site: Site,
    /// It goes with the service.
    _folder: Folder,
}

impl House {
    /// Opens a service with a gateway for each place, each probed by a page of it.
    pub(super) async fn open(places: &[SocketAddr], interval: &str) -> Result<House, String> {
        let folder = folder()?;
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
            made.and_then(|()| std::fs::write(&path, text)).map_err(|e| format!("{}: {e}", path.display()))
        };
        let mut config =
            "[server]\nlisten = \"127.0.0.1:0\"\n[store]\npath = \"var\"\nreserve = \"1MiB\"\n".to_string();
        for (number, place) in places.iter().enumerate() {
            // Writing to a text cannot fail.
            let _ = write!(
                config,
                "[[gateway]]\nname = \"gateway-{number}\"\nchannel = \"{}\"\nadapter = \"telegram-bot\"\nupdates = \"webhook\"\n\
                 webhook_secret = \"bench\"\nbot_token = \"1:bench\"\nbase_url = \"http://{place}\"\n",
                Channel::Telegram
            );
        }
        write("wasl.toml", config)?;
        write(
            "probes/page.toml",
            format!(
                "[[probe]]\nname = \"page\"\nkind = \"http\"\nadapter = \"telegram-bot\"\ninterval = \"{interval}\"\n\
                 url = \"{{base_url}}/\"\n[probe.expect]\nstatus = 200\n"
            ),
        )?;
        write(
            "policies/all.toml",
            format!(
                "[[rule]]\nname = \"all\"\nconfirm = \"accepted\"\n[[rule.step]]\nchannels = [\"{}\"]\n",
                Channel::Telegram
            ),
        )?;
        match Site::open(&folder.path().join("wasl.toml"), Door::Open).await {
            Ok(site) => Ok(House { site, _folder: folder }),
            Err(crate::runtime::site::SiteError::Files(diags)) => Err(diags.render()),
            Err(error) => Err(error.to_string()),
        }
    }

    pub(super) async fn close(self) -> Result<(), String> {
        self.site.stop().await.map_err(|fatal| fatal.to_string())
    }
}
