//! Adapters as the service builds them, and attempts for them.

use super::tables::{self, Table};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use wasl::adapter::net::Net;
use wasl::adapter::{self, Adapter, Outgoing};
use wasl::core::channel::{Channel, GatewayId};
use wasl::core::effect::Order;
use wasl::core::ids::{AttemptId, DeliveryId, MessageId};
use wasl::core::message::{Severity, Status};
use wasl::core::record::Repeat;
use wasl::core::reply::Asks;
use wasl::core::time::{Span, Timestamp};
use wasl::diag::Diagnostics;
use wasl::settings::{Resolver, Settings};

/// A name server that nobody runs.
const RESOLVER: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 53));

/// An adapter, and how to hand attempts to it.
pub struct Sender {
    /// The adapter.
    pub adapter: Arc<dyn Adapter>,
    /// Its channel.
    pub channel: Channel,
}

impl Sender {
    /// Builds a gateway's adapter, with a name server that nobody runs.
    pub fn build(gateway: &Table) -> Sender {
        Sender::build_with(gateway, RESOLVER)
    }

    /// Builds a gateway's adapter for a service that the outside calls by this address.
    pub fn build_called(gateway: &Table, public_url: &str) -> Sender {
        Sender::build_of(&[Table::new("[server]").text("public_url", public_url), gateway.clone()], RESOLVER)
    }

    /// Builds a gateway's adapter, with this name server.
    pub fn build_with(gateway: &Table, resolver: SocketAddr) -> Sender {
        Sender::build_of(std::slice::from_ref(gateway), resolver)
    }

    fn build_of(tables: &[Table], resolver: SocketAddr) -> Sender {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wasl.toml");
        std::fs::write(&path, tables::file(tables.iter().cloned())).unwrap();
        let mut diags = Diagnostics::default();
        let settings = Settings::read(&path, &adapter::kinds(), &mut diags).expect("TOML");
        let net = Net::new(&[Resolver::At(resolver)]);
        let gateway = settings.gateways.into_iter().next();
        let channel = gateway.as_ref().map(|gateway| gateway.config.channel);
        let adapter = gateway.and_then(|gateway| adapter::build(gateway, &net, &mut diags));
        assert!(!diags.has_errors(), "{}", diags.render());
        let (adapter, channel) = adapter.zip(channel).expect("without errors it is built");
        Sender { adapter, channel }
    }

    /// Returns the `n`th attempt of a delivery to this address.
    pub fn attempt(&self, address: &str, text: &str, n: u16) -> Outgoing {
        let message = MessageId::new(Timestamp::from_ms(1_700_000_000_000), 0, 7);
        Outgoing {
            order: Order {
                attempt: AttemptId::new(DeliveryId::new(message, 3), n),
                gateway: GatewayId(0),
                channel: self.channel,
                time_out: Span::from_secs(5),
                expires: Timestamp::FAR,
                repeat: Repeat::No,
                severity: Severity::Extreme,
            },
            left: Span::from_hours(1),
            status: Status::Actual,
            address: address.to_owned(),
            language: "ar".to_owned(),
            text: text.to_owned(),
            subject: "تنبيه".to_owned(),
            thread: None,
            template: None,
            asks: Asks::NOTHING,
            question: String::new(),
        }
    }
}
