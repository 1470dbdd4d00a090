//! What became of an attempt, whose fault it was, and how a delivery ends. All lists are closed.

use super::ids::AttemptId;
use super::time::{Span, Timestamp};
use std::fmt;

/// A gateway's answer to an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The provider took it. `provider_id` is the provider's own name for it, where it gives one.
    Accepted {
        /// What receipts will refer to; at most [`PROVIDER_ID_BYTES_MAX`] bytes.
        provider_id: Option<String>,
    },
    /// It was certainly not sent.
    Rejected {
        /// Why, and so whose fault.
        reason: Reason,
    },
    /// It was certainly not sent; the gateway names or implies a time to come back.
    Deferred {
        /// Why, and so whose fault.
        reason: Reason,
        /// How long to leave the gateway (or this recipient) alone; a default applies where it said nothing.
        retry_after: Option<Span>,
    },
    /// It may have gone out; nobody can know.
    Unknown {
        /// What was seen.
        reason: Reason,
    },
}

/// The longest provider id that is kept. Cites: WhatsApp's `wamid` is below 100 characters; SMPP allows 65.
pub const PROVIDER_ID_BYTES_MAX: usize = 200;

/// What is at fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// This address.
    Recipient,
    /// This text or template.
    Content,
    /// The gateway, for everybody.
    Gateway,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $fault:ident;)*) => {
        /// Why an attempt was not plainly accepted, or a probe not plainly fine: a closed list, and a
        /// metric's label.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Reason { $($(#[$doc])* $variant,)* }

        impl Reason {
            /// Every reason, in the order of its stored number.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),*];

            /// Returns the word used in metrics, JSON and pages.
            pub const fn name(self) -> &'static str {
                match self { $(Reason::$variant => $name,)* }
            }

            /// Says what is at fault.
            pub const fn fault(self) -> Fault {
                match self { $(Reason::$variant => Fault::$fault,)* }
            }

            /// Says whether the same address and text would be refused there again. A pair limit passes; another
            /// address or another text does not appear by waiting.
            pub fn is_for_good(self) -> bool {
                self.fault() != Fault::Gateway && self != Reason::PairLimit
            }
        }
    };
}

// Stored by number: append, never reorder.
reasons! {
    /// The address is not on this channel (not a user, not a mobile number).
    NotOnChannel = "not_on_channel", Recipient;
    /// The recipient blocked or opted out of us.
    Blocked = "blocked", Recipient;
    /// The address is malformed or refused by the provider.
    BadAddress = "bad_address", Recipient;
    /// The recipient's identity key changed and is not trusted yet.
    IdentityChanged = "identity_changed", Recipient;
    /// Too many to this one recipient.
    PairLimit = "pair_limit", Recipient;
    /// The handset could not be reached for good, or until the provider gave up.
    Undeliverable = "undeliverable", Recipient;
    /// The provider refuses this text, parameter or size.
    ContentRefused = "content_refused", Content;
    /// Free text is not allowed outside the service window, and no template was given.
    TemplateRequired = "template_required", Content;
    /// The text has no version that this recipient's language or channel can take.
    NoText = "no_text", Content;
    /// Our credential is refused or expired.
    Credentials = "credentials", Gateway;
    /// Our account, sender, permission, template or credit is wrong.
    Configuration = "configuration", Gateway;
    /// The provider asks us to slow down.
    Throttled = "throttled", Gateway;
    /// A quota of ours is used up.
    QuotaExhausted = "quota_exhausted", Gateway;
    /// The provider answered with a fault of its own (5xx, ESME_RSYSERR, 4.x.x).
    ProviderFault = "provider_fault", Gateway;
    /// The provider says that its service is down.
    ServiceDown = "service_down", Gateway;
    /// The name does not exist.
    DnsNxdomain = "dns_nxdomain", Gateway;
    /// The resolvers could not get an answer for the name.
    DnsServfail = "dns_servfail", Gateway;
    /// No resolver answered in time.
    DnsTimeout = "dns_timeout", Gateway;
    /// The name exists and has no address.
    DnsEmpty = "dns_empty", Gateway;
    /// The connection was refused.
    TcpRefused = "tcp_refused", Gateway;
    /// The connection did not open in time.
    TcpTimeout = "tcp_timeout", Gateway;
    /// The connection was reset before anything was sent.
    TcpReset = "tcp_reset", Gateway;
    /// The network or host is unreachable from here.
    Unreachable = "unreachable", Gateway;
    /// The certificate has expired, or is not valid yet.
    TlsExpired = "tls_expired", Gateway;
    /// The certificate is for another name.
    TlsWrongName = "tls_wrong_name", Gateway;
    /// Nobody that we trust signed the certificate.
    TlsUntrusted = "tls_untrusted", Gateway;
    /// The TLS handshake failed in another way.
    TlsFailed = "tls_failed", Gateway;
    /// The TLS handshake did not end in time.
    TlsTimeout = "tls_timeout", Gateway;
    /// The connection to the gateway is not up (no bind, no session).
    NotConnected = "not_connected", Gateway;
    /// Sent, and no answer came in time.
    Timeout = "timeout", Gateway;
    /// The connection was lost after the request went out.
    ConnectionLost = "connection_lost", Gateway;
    /// An answer came that nobody can read.
    Unreadable = "unreadable", Gateway;
    /// The service stopped while the attempt was out.
    Restart = "restart", Gateway;
    /// A probe's condition on status, header, body or JSON does not hold.
    Condition = "condition", Gateway;
    /// The account or platform reports that it can send only partly.
    Limited = "limited", Gateway;
    /// The adapter cannot serve this attempt: it is shutting down or over its limit.
    Busy = "busy", Gateway;
    /// The recipient wants nothing more on this channel: nothing was handed to the gateway.
    OptedOut = "opted_out", Recipient;
    /// The recipient was erased on request: nothing was handed to the gateway.
    Erased = "erased", Recipient;
    /// It takes messages, and their receipts do not come.
    ReceiptsMissing = "receipts_missing", Gateway;
}

/// A provider's word on an attempt. The order is the order of progress: a state only moves forward. "Failed" is said of
/// what was sent before, and never of what was delivered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum ReceiptKind {
    /// It left the provider.
    Sent,
    /// It failed after it was taken. Never overrides `Delivered` or more.
    Failed,
    /// It reached the recipient's device.
    Delivered,
    /// The recipient saw it.
    Read,
    /// The recipient answered or pressed the button.
    Acknowledged,
}

/// How a delivery ends: the contract's seven results.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum DeliveryResult {
    /// A receipt says that it arrived.
    Delivered,
    /// The recipient acknowledged it.
    Acknowledged,
    /// A provider took it; this route gives no receipt, or none came before the expiry.
    HandedOver,
    /// Nothing that is permitted could take it, or its only attempts stayed unknown.
    Failed,
    /// Recalled before it was sent.
    Cancelled,
    /// Never handed to anybody before its expiry.
    Expired,
    /// Replaced by a newer message before it was sent.
    Superseded,
}

/// What a receipt refers to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReceiptRef {
    /// The provider's own id, as [`Outcome::Accepted`] gave it.
    Provider(String),
    /// Our attempt's id, echoed by the provider.
    Attempt(AttemptId),
    /// Both, as WhatsApp's webhooks carry.
    Both(String, AttemptId),
}

/// A receipt as an adapter read it off the wire, after its signature was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// Which attempt it speaks of.
    pub of: ReceiptRef,
    /// What it says.
    pub kind: ReceiptKind,
    /// Why, where it says that the attempt failed.
    pub reason: Option<Reason>,
    /// The provider's own time for it, where it gives one.
    pub at: Option<Timestamp>,
}

// === impls ===

impl Outcome {
    /// Returns the metric's label: accepted, rejected, deferred or unknown.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Accepted { .. } => "accepted",
            Outcome::Rejected { .. } => "rejected",
            Outcome::Deferred { .. } => "deferred",
            Outcome::Unknown { .. } => "unknown",
        }
    }

    /// Returns the reason, where there is one.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Outcome::Accepted { .. } => None,
            Outcome::Rejected { reason } | Outcome::Deferred { reason, .. } | Outcome::Unknown { reason } => {
                Some(*reason)
            }
        }
    }
}

impl Fault {
    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Recipient => "recipient",
            Fault::Content => "content",
            Fault::Gateway => "gateway",
        }
    }
}

impl ReceiptKind {
    /// Every kind, in the order of its stored number.
    pub const ALL: [ReceiptKind; 5] = [
        ReceiptKind::Sent,
        ReceiptKind::Failed,
        ReceiptKind::Delivered,
        ReceiptKind::Read,
        ReceiptKind::Acknowledged,
    ];

    /// Returns how a delivery ends that this settles.
    pub const fn result(self) -> DeliveryResult {
        match self {
            ReceiptKind::Sent => DeliveryResult::HandedOver,
            ReceiptKind::Failed => DeliveryResult::Failed,
            ReceiptKind::Delivered | ReceiptKind::Read => DeliveryResult::Delivered,
            ReceiptKind::Acknowledged => DeliveryResult::Acknowledged,
        }
    }

    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            ReceiptKind::Failed => "failed",
            ReceiptKind::Sent => "sent",
            ReceiptKind::Delivered => "delivered",
            ReceiptKind::Read => "read",
            ReceiptKind::Acknowledged => "acknowledged",
        }
    }
}

impl DeliveryResult {
    /// Every result, in the order of its stored number.
    pub const ALL: [DeliveryResult; 7] = [
        DeliveryResult::Delivered,
        DeliveryResult::Acknowledged,
        DeliveryResult::HandedOver,
        DeliveryResult::Failed,
        DeliveryResult::Cancelled,
        DeliveryResult::Expired,
        DeliveryResult::Superseded,
    ];

    /// Returns the contract's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            DeliveryResult::Delivered => "delivered",
            DeliveryResult::Acknowledged => "acknowledged",
            DeliveryResult::HandedOver => "handed_over",
            DeliveryResult::Failed => "failed",
            DeliveryResult::Cancelled => "cancelled",
            DeliveryResult::Expired => "expired",
            DeliveryResult::Superseded => "superseded",
        }
    }
}

macro_rules! display_name {
    ($($kind:ty),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    )*};
}
display_name!(Reason, Fault, ReceiptKind, DeliveryResult);
