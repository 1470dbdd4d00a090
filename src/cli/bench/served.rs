//! Third-party programs that a figure needs as a far end or is held against: each a process of its own, so that what it takes
//! is never counted as ours, on a free port of loopback, and stopped when dropped.

use super::gauge;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take until it listens.
const START: Duration = Duration::from_secs(5);
/// The names of blackbox_exporter: Debian's, and that of its own releases.
const EXPORTERS: [&str; 2] = ["prometheus-blackbox-exporter", "blackbox_exporter"];

/// A program that serves.
pub(super) struct Served {
    child: Child,
    port: u16,
}

impl Served {
    /// Starts a bare nginx of one worker, which answers everything with an empty 200.
    pub(super) fn nginx(folder: &Path) -> Result<Served, String> {
        if Command::new("nginx").arg("-v").stderr(Stdio::null()).status().is_err() {
            return Err("needs nginx: apt-get install --no-install-recommends nginx-light".into());
        }
        let (file, root) = (folder.join("nginx.conf"), folder.display());
        Served::start("nginx", |port| {
            let config = format!(
                "daemon off; master_process off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/nginx.err;\n\
                 events {{ worker_connections 1024; }}\n\
                 http {{ access_log off; keepalive_requests 100000000;\n\
                   client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f;\n\
                   uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n\
                   server {{ listen 127.0.0.1:{port}; location / {{ return 200; }} }} }}\n"
            );
            std::fs::write(&file, config)?;
            let mut command = Command::new("nginx");
            command.arg("-c").arg(&file);
            Ok(command)
        })
    }

    /// Starts blackbox_exporter, whose one module asks for a page by HTTP; `None` where it is not installed.
    pub(super) fn blackbox(folder: &Path) -> Result<Option<Served>, String> {
        let installed = |name: &&&str| {
            let mut command = Command::new(name);
            command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        };
        let Some(name) = EXPORTERS.iter().find(installed) else { return Ok(None) };
        let file = folder.join("blackbox.yml");
        let served = Served::start(name, |port| {
            std::fs::write(&file, "modules: { page: { prober: http } }\n")?;
            let mut command = Command::new(name);
            command.arg(format!("--config.file={}", file.display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            Ok(command)
        });
        served.map(Some)
    }

    /// Starts what `command` says for a free port, and waits until it listens there.
    fn start(name: &str, command: impl FnOnce(u16) -> std::io::Result<Command>) -> Result<Served, String> {
        let failed = |error: std::io::Error| format!("{name}: {error}");
        let free = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let port = free.local_addr().map_err(failed)?.port();
        drop(free);
        let mut command = command(port).map_err(failed)?;
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let mut served = Served { child, port };
        let began = Instant::now();
        loop {
            let listens = TcpStream::connect(served.address()).is_ok();
            // Whoever else listens there is not to be measured in its place.
            if let Some(status) = served.child.try_wait().map_err(failed)? {
                return Err(format!("{name} ended with {status}"));
            }
            if listens {
                return Ok(served);
            }
            if began.elapsed() > START {
                return Err(format!("{name} does not listen"));
            }
            std::thread::yield_now();
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address())
    }

    /// Returns the processor time that the program has taken so far, in seconds.
    pub(super) fn cpu_secs(&self) -> Result<f64, String> {
        gauge::cpu_secs_of(self.child.id())
            .ok_or_else(|| "the system does not say what a program takes".into())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
