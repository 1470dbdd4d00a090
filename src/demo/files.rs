//! The demonstration's own files, written to a temporary folder that goes with it.

use super::plan::{Plan, contacts_csv};
use super::stage::Ports;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

const SETTINGS: &str = include_str!("files/wasl.toml");
const POLICY: &str = include_str!("files/policies/demo.toml");
const PROBES: &str = include_str!("files/probes/demo.toml");

/// What the emulators ask for. Secret from nobody: they are good for this machine's emulators alone.
pub(crate) const WHATSAPP_TOKEN: &str = "demo-whatsapp-token";
pub(crate) const WHATSAPP_APP: &str = "demo-whatsapp-app-secret";
pub(crate) const TELEGRAM_TOKEN: &str = "42:demo-telegram-token";
pub(crate) const SMSC_PASSWORD: &str = "demo-pw";
pub(crate) const MAIL_PASSWORD: &str = "demo-mail-password";

/// The folder, which is removed when this is dropped unless it is to be kept.
#[derive(Debug)]
pub(crate) struct Files {
    folder: PathBuf,
    keep: bool,
}

impl Files {
    /// Makes the folder, readable by its owner alone.
    pub(crate) fn new(keep: bool) -> io::Result<Files> {
        // Several in one process, as tests run them, have folders of their own.
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let stamp = jiff::Timestamp::now().as_millisecond();
        let folder = std::env::temp_dir().join(format!("wasl-demo-{}-{stamp}-{count}", std::process::id()));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        Ok(Files { folder, keep })
    }

    /// Writes everything but `wasl.toml`.
    pub(crate) fn write(&self, ca_pem: &str, plan: &Plan) -> io::Result<()> {
        for folder in ["policies", "probes", "secrets"] {
            fs::create_dir_all(self.folder.join(folder))?;
        }
        let contacts = contacts_csv(&plan.people);
        for (name, text) in [
            ("ca.pem", ca_pem),
            ("policies/demo.toml", POLICY),
            ("probes/demo.toml", PROBES),
            ("contacts.csv", &contacts),
            ("secrets/whatsapp-token", WHATSAPP_TOKEN),
            ("secrets/whatsapp-app", WHATSAPP_APP),
            ("secrets/telegram-token", TELEGRAM_TOKEN),
            ("secrets/smsc-password", SMSC_PASSWORD),
            ("secrets/mail-password", MAIL_PASSWORD),
        ] {
            fs::write(self.folder.join(name), text)?;
        }
        Ok(())
    }

    /// Writes `wasl.toml` for these emulators and this listener; returns its path.
    pub(crate) fn write_settings(&self, ports: &Ports, listen: SocketAddr) -> io::Result<PathBuf> {
        let controls: Vec<String> = ports.controls.iter().map(|control| format!("\"{control}\"")).collect();
        let mut text = SETTINGS
            .replace("{listen}", &listen.to_string())
            .replace("{dns}", &ports.dns.to_string())
            .replace("{controls}", &controls.join(", "));
        for (channel, port) in &ports.gateways {
            text = text.replace(&format!("{{{channel}}}"), &port.to_string());
        }
        let path = self.folder.join("wasl.toml");
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Returns where they are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if !self.keep {
            // What cannot be removed is in the system's temporary folder, which is cleared anyway.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}
