//! The stage: an emulator for each channel, their names, their certificates, and places that judge our own line.

use super::files::{MAIL_PASSWORD, SMSC_PASSWORD, TELEGRAM_TOKEN, WHATSAPP_APP, WHATSAPP_TOKEN};
use super::scenario::{ControlKind, Scenario};
use super::script::{self, Tables};
use crate::core::channel::Channel;
use crate::emulator::dns::Entry;
use crate::emulator::tls::{Authority, Identity};
use crate::emulator::{
    Common, Fault, Handle, Provider, Rate, Received, control, dns, signal_cli, smsc, smtp, telegram, whatsapp,
};
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Names have no address for longer than this, so that a fault is seen at the next look-up.
const TTL_S: u32 = 0;

/// Everything that stands for the world.
#[derive(Debug)]
pub(crate) struct Stage {
    authority: Arc<Authority>,
    names: dns::Handle,
    controls: Vec<control::Controls>,
    whatsapp: whatsapp::Handle,
    signal: signal_cli::Handle,
    telegram: telegram::Handle,
    sms: smsc::Handle,
    email: smtp::Handle,
    /// What was ordered last of each channel.
    ordered: BTreeMap<Channel, Tables>,
}

/// Where everything listens.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) dns: SocketAddr,
    pub(crate) gateways: BTreeMap<Channel, u16>,
    /// As `wasl.toml` names controls.
    pub(crate) controls: Vec<String>,
}

/// The name under which a channel is found.
const fn name(channel: Channel) -> &'static str {
    match channel {
        Channel::Whatsapp => "graph.whatsapp.test",
        Channel::Signal => "signald.test",
        Channel::Telegram => "api.telegram.test",
        Channel::Sms => "smsc.carrier.test",
        _ => "mail.relief.test",
    }
}

impl Stage {
    /// Starts every emulator.
    pub(crate) async fn start(scenario: &Scenario, seed: u64) -> io::Result<Stage> {
        let authority = Authority::new()?;
        let common =
            |n: u64, tls: Option<Identity>| Common { seed: seed.wrapping_add(n), tls, ..Common::default() };
        let identity = |channel| Some(authority.identity(&[name(channel)]));
        let here = || vec![Entry::Address(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        let zone = super::CHANNELS.map(|channel| (name(channel).to_owned(), here()));
        let names =
            dns::start(dns::Options { common: common(0, None), ttl_s: TTL_S, zone: zone.into() }).await?;
        let mut controls = Vec::new();
        for n in 0..scenario.controls.len() as u64 {
            controls.push(control::start(common(100 + n, None), common(200 + n, None)).await?);
        }
        let whatsapp = whatsapp::start(whatsapp::Options {
            common: common(1, identity(Channel::Whatsapp)),
            token: WHATSAPP_TOKEN.into(),
            app_secret: WHATSAPP_APP.into(),
            ..whatsapp::Options::default()
        });
        let telegram = telegram::start(telegram::Options {
            common: common(3, identity(Channel::Telegram)),
            token: TELEGRAM_TOKEN.into(),
            ..telegram::Options::default()
        });
        let sms = smsc::start(smsc::Options {
            common: common(4, None),
            password: SMSC_PASSWORD.into(),
            ..smsc::Options::default()
        });
        let email = smtp::start(smtp::Options {
            common: common(5, identity(Channel::Email)),
            login: Some(("wasl".into(), MAIL_PASSWORD.into())),
            ..smtp::Options::default()
        });
        let signal = signal_cli::Options { common: common(2, None), ..signal_cli::Options::default() };
        Ok(Stage {
            names,
            controls,
            whatsapp: whatsapp.await?,
            signal: signal_cli::start(signal).await?,
            telegram: telegram.await?,
            sms: sms.await?,
            email: email.await?,
            authority,
            ordered: BTreeMap::new(),
        })
    }

    /// Returns the certificate by which all of them are trusted.
    pub(crate) fn ca_pem(&self) -> &str {
        self.authority.ca_pem()
    }

    /// Returns where everything listens.
    pub(crate) fn ports(&self, scenario: &Scenario) -> Ports {
        let gateways = [
            (Channel::Whatsapp, self.whatsapp.addr()),
            (Channel::Signal, self.signal.addr()),
            (Channel::Telegram, self.telegram.addr()),
            (Channel::Sms, self.sms.addr()),
            (Channel::Email, self.email.addr()),
        ];
        let control = |(control, at): (&super::scenario::Control, &control::Controls)| match control.kind {
            ControlKind::Dns => format!("dns:{}", at.names_addr()),
            ControlKind::Http => format!("http://{}/", at.page_addr()),
        };
        Ports {
            dns: self.names.addr(),
            gateways: gateways.map(|(channel, addr)| (channel, addr.port())).into(),
            controls: scenario.controls.iter().zip(&self.controls).map(control).collect(),
        }
    }

    /// Tells WhatsApp where its receipts go.
    pub(crate) fn call_back(&self, listen: SocketAddr) {
        self.whatsapp.set_callback(Some(&format!("http://{listen}/hooks/whatsapp")));
    }

    /// Makes the world as the scenario has it at `t`.
    pub(crate) fn set(&mut self, scenario: &Scenario, t: f64) {
        for model in &scenario.channels {
            let Some(channel) = super::CHANNELS.into_iter().find(|channel| channel.name() == model.id) else {
                continue;
            };
            let tables = script::tables(scenario, model, t);
            let before = self.ordered.insert(channel, tables);
            let released = script::releases(scenario, &model.id, t);
            self.names.fault_name(name(channel), tables.dns.mix());
            let order = Order { tables, before, released, t };
            match channel {
                Channel::Whatsapp => order.give(&self.whatsapp),
                Channel::Signal => order.give(&self.signal),
                Channel::Telegram => order.give(&self.telegram),
                Channel::Sms => order.give(&self.sms),
                _ => order.give(&self.email),
            }
        }
        for (control, at) in scenario.controls.iter().zip(&self.controls) {
            at.fail_share(script::control_fails(scenario, control, t));
        }
    }

    /// Returns what each channel took so far.
    pub(crate) fn received(&self) -> Vec<(Channel, Vec<Received>)> {
        vec![
            (Channel::Whatsapp, self.whatsapp.received()),
            (Channel::Signal, self.signal.received()),
            (Channel::Telegram, self.telegram.received()),
            (Channel::Sms, self.sms.received()),
            (Channel::Email, self.email.received()),
        ]
    }
}

/// What is ordered of one channel.
struct Order {
    tables: Tables,
    before: Option<Tables>,
    released: bool,
    t: f64,
}

impl Order {
    fn give<P: Provider>(&self, to: &Handle<P>) {
        let (new, t) = (&self.tables, self.t);
        to.fault(Fault::Tcp(new.tcp.mix()));
        to.fault(Fault::Tls(new.tls.mix()));
        to.fault(Fault::Check(new.http.mix()));
        to.fault(Fault::Accept(new.accept.mix()));
        to.fault(Fault::Deliver(new.deliver.mix(t)));
        if let Some(receipt) = &new.receipt {
            to.fault(Fault::Receipt(receipt.mix(t)));
        }
        // A new rate begins with a full bucket and an empty queue, so it is ordered only where it is another.
        if self.before.is_none_or(|before| before.admit != new.admit) {
            to.fault(Fault::Admit(Some(Rate { per_s: new.admit.0, burst: new.admit.1 })));
        }
        if self.before.is_none_or(|before| before.serve_per_s != new.serve_per_s) {
            to.fault(Fault::Serve(Some(new.serve_per_s)));
        }
        // A road that changes takes the connections that stand on it along; they are made anew, if they can be.
        if self.before.is_some_and(|before| before.other_road(new)) {
            to.cut();
        }
        if self.released {
            to.release();
        }
    }
}
