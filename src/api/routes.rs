//! The table of calls: what the router serves, whom it lets in, and what `/openapi.json` tells of it.
//!
//! Invariant: a call that is not in [`ROUTES`] does not exist, and one that is has exactly the role written here.

use super::access::Access;
use super::problem::Kind;
pub(crate) use super::route::{Gives, Takes};
pub use super::route::{Route, Verb};
use super::{
    alertmanager, audit, backup, call_tree, cap, contacts, correct, deliveries, events, gateways, health,
    hooks, messages, notices, openapi, reach, replies, report, tokens,
};
use crate::core::query::Role;

macro_rules! run {
    ($($handler:ident)::+) => {
        |app, call| Box::pin($($handler)::+(app, call))
    };
}

mod pages;

/// A read for viewers, as most calls are.
const READ: Route = Route {
    verb: Verb::Get,
    path: "",
    access: Access::Role(Role::Viewer),
    summary: "",
    id: "",
    params: &[],
    takes: Takes::Nothing,
    gives: Gives::Json(200, "Status"),
    problems: &[],
    run: run!(gateways::status),
};

/// An act with a reason.
const ACT: Route = Route {
    verb: Verb::Post,
    takes: Takes::Json("Reason"),
    gives: Gives::Json(200, "Changed"),
    problems: &[Kind::Refused],
    ..READ
};

/// A provider's call.
const HOOK: Route = Route {
    access: Access::Provider,
    gives: Gives::Text("text/plain"),
    takes: Takes::Raw,
    problems: &[Kind::NotFound, Kind::NoToken, Kind::WrongRole, Kind::TooMany],
    run: run!(hooks::take),
    ..READ
};

/// Every call there is.
pub static ROUTES: &[Route] = &join::<{ CALLS.len() + pages::PAGES.len() }>(CALLS, pages::PAGES);

const fn join<const N: usize>(calls: &[Route], pages: &[Route]) -> [Route; N] {
    let (mut all, mut place) = ([READ; N], 0);
    while place < N {
        all[place] = if place < calls.len() { calls[place] } else { pages[place - calls.len()] };
        place += 1;
    }
    all
}

/// The calls of programs, and of providers.
const CALLS: &[Route] = &[
    Route {
        verb: Verb::Post,
        path: "/v1/messages",
        access: Access::Role(Role::Sender),
        summary: "Accepts a message; answered once it is on disk. A dry run answers with a forecast, and nothing is stored.",
        id: "acceptMessage",
        params: &["dry_run", "Idempotency-Key"],
        takes: Takes::Json("Message"),
        gives: Gives::Either([(202, "Accepted"), (200, "Forecast")]),
        problems: &[Kind::KeyConflict, Kind::TooMany, Kind::DiskFull],
        run: run!(messages::accept),
    },
    Route {
        path: "/v1/messages",
        summary: "Lists messages, newest first.",
        id: "listMessages",
        params: &["before_message", "limit"],
        gives: Gives::Json(200, "Messages"),
        run: run!(messages::list),
        ..READ
    },
    Route {
        path: "/v1/messages/{id}",
        summary: "Shows one message and how far it is.",
        id: "showMessage",
        params: &["message_id"],
        gives: Gives::Json(200, "MessageShown"),
        problems: &[Kind::NotFound],
        run: run!(messages::show_one),
        ..READ
    },
    Route {
        path: "/v1/messages/{id}/deliveries",
        summary: "Lists a message's deliveries: each attempt, why that gateway, each receipt.",
        id: "listDeliveries",
        params: &["message_id", "after_index", "limit"],
        gives: Gives::Json(200, "Deliveries"),
        problems: &[Kind::NotFound],
        run: run!(messages::deliveries),
        ..READ
    },
    Route {
        path: "/v1/messages/{id}/cancel",
        access: Access::Role(Role::Sender),
        summary: "Recalls what was not yet sent.",
        id: "cancelMessage",
        params: &["message_id"],
        problems: &[Kind::NotFound, Kind::Refused],
        run: run!(messages::cancel),
        ..ACT
    },
    Route {
        verb: Verb::Post,
        path: "/v1/messages/{id}/correct",
        access: Access::Role(Role::Sender),
        summary: "Says it in other words to exactly those who may have got it, and stops it for the rest.",
        id: "correctMessage",
        params: &["message_id", "Idempotency-Key"],
        takes: Takes::Json("Correction"),
        gives: Gives::Json(202, "Corrected"),
        problems: &[Kind::NotFound, Kind::Refused, Kind::KeyConflict, Kind::TooMany, Kind::DiskFull],
        run: run!(correct::correct),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/cap",
        access: Access::Role(Role::Sender),
        summary: "Takes an alert as OASIS CAP 1.2: an Alert is sent, an Update corrects, a Cancel recalls and tells. A dry run \
            answers with a forecast, and nothing is stored.",
        id: "takeCap",
        params: &["dry_run"],
        takes: Takes::Xml("application/cap+xml"),
        gives: Gives::Either([(202, "FeedTaken"), (200, "FeedNoted")]),
        problems: &[Kind::NotFound, Kind::Refused, Kind::KeyConflict, Kind::TooMany, Kind::DiskFull],
        run: run!(cap::take),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/alertmanager",
        access: Access::Role(Role::Sender),
        summary: "Takes the webhook of a Prometheus Alertmanager, version 4: a group that fires is sent once and again when it \
            changes, its end recalls and tells. A dry run answers with a forecast, and nothing is stored.",
        id: "takeAlertmanager",
        params: &["dry_run"],
        takes: Takes::Json("AlertmanagerGroup"),
        gives: Gives::Either([(202, "FeedTaken"), (200, "FeedNoted")]),
        problems: &[Kind::Refused, Kind::KeyConflict, Kind::TooMany, Kind::DiskFull],
        run: run!(alertmanager::take),
    },
    Route {
        path: "/v1/status",
        summary: "Shows the whole picture at one instant.",
        id: "showStatus",
        ..READ
    },
    Route {
        path: "/v1/gateways",
        summary: "Lists the gateways.",
        id: "listGateways",
        params: &["gateway_state", "channel"],
        gives: Gives::Json(200, "Gateways"),
        run: run!(gateways::gateways),
        ..READ
    },
    Route {
        path: "/v1/channels",
        summary: "Lists the channels.",
        id: "listChannels",
        gives: Gives::Json(200, "Channels"),
        run: run!(gateways::channels),
        ..READ
    },
    Route {
        path: "/v1/outages",
        summary: "Lists outages, newest first. Where `next` is given there may be more, even below `limit`.",
        id: "listOutages",
        params: &["before_outage", "limit", "outage_state", "channel"],
        gives: Gives::Json(200, "Outages"),
        run: run!(gateways::outages),
        ..READ
    },
    Route {
        path: "/v1/outages/{id}/report",
        summary: "Tells what an outage did: to how many, by audience, sector, region and channel; what was re-routed, late and missed.",
        id: "showReport",
        params: &["outage_id"],
        gives: Gives::Json(200, "Report"),
        problems: &[Kind::NotFound],
        run: run!(report::show),
        ..READ
    },
    Route {
        path: "/v1/reach",
        summary: "Shows how many can be reached now, by audience and channel; with `who`, lists contacts that no road, one or \
            several lead to. Where `next` is given there may be more, even below `limit`.",
        id: "showReach",
        params: &["reach_who", "audience", "after_contact", "limit"],
        gives: Gives::Json(200, "Reach"),
        run: run!(reach::show),
        ..READ
    },
    Route {
        path: "/v1/reach/call-tree",
        access: Access::Role(Role::Admin),
        summary: "Names whom to telephone, with their numbers: those whom no road reaches now, or everybody. It goes on record.",
        id: "makeCallTree",
        takes: Takes::Json("CallTreeAsked"),
        gives: Gives::Json(200, "CallTree"),
        problems: &[Kind::TooMany],
        run: run!(call_tree::make),
        ..ACT
    },
    Route {
        path: "/v1/replies",
        summary: "Lists what recipients said, newest first.",
        id: "listReplies",
        params: &["before_reply", "limit", "of_message", "of_incident", "reply_kind"],
        gives: Gives::Json(200, "Replies"),
        run: run!(replies::list),
        ..READ
    },
    Route {
        path: "/v1/deliveries",
        summary: "Shows the queue in numbers and its oldest, and lists deliveries, newest message first, in their order within it. \
                  Where `next` is given there may be more, even below `limit`, even where none was found.",
        id: "findDeliveries",
        params: &[
            "before_delivery",
            "limit",
            "delivery_state",
            "channel",
            "of_gateway",
            "severity",
            "of_incident",
            "drill",
        ],
        gives: Gives::Json(200, "DeliveryList"),
        run: run!(deliveries::list),
        ..READ
    },
    Route {
        path: "/v1/gateways/{name}/hold",
        access: Access::Role(Role::Sender),
        summary: "Stops one gateway, until it is released.",
        id: "holdGateway",
        params: &["gateway_name"],
        problems: &[Kind::NotFound, Kind::Refused],
        run: run!(gateways::hold),
        ..ACT
    },
    Route {
        path: "/v1/gateways/{name}/release",
        access: Access::Role(Role::Admin),
        summary: "Lets a gateway go on.",
        id: "releaseGateway",
        params: &["gateway_name"],
        problems: &[Kind::NotFound, Kind::Refused],
        gives: Gives::Json(200, "Released"),
        run: run!(gateways::release),
        ..ACT
    },
    Route {
        path: "/v1/gateways/{name}/maintenance",
        access: Access::Role(Role::Admin),
        summary: "Lays planned work over a gateway, until a time.",
        id: "maintainGateway",
        params: &["gateway_name"],
        takes: Takes::Json("Maintenance"),
        problems: &[Kind::NotFound, Kind::Refused],
        run: run!(gateways::maintenance),
        ..ACT
    },
    Route {
        path: "/v1/gateways/{name}/drill",
        access: Access::Role(Role::Sender),
        summary: "Makes a gateway look down for a drill, until a time: to exercises alone, or (admin) to everybody.",
        id: "drillGateway",
        params: &["gateway_name"],
        takes: Takes::Json("Drill"),
        problems: &[Kind::NotFound, Kind::Refused],
        run: run!(gateways::drill),
        ..ACT
    },
    Route {
        path: "/v1/gateways/{name}/drill/end",
        access: Access::Role(Role::Sender),
        summary: "Ends a gateway's drill before its time.",
        id: "endDrill",
        params: &["gateway_name"],
        problems: &[Kind::NotFound, Kind::Refused],
        run: run!(gateways::end_drill),
        ..ACT
    },
    Route {
        path: "/v1/hold",
        access: Access::Role(Role::Sender),
        summary: "Stops everything: the red button, kept over a restart.",
        id: "holdAll",
        run: run!(gateways::hold_all),
        ..ACT
    },
    Route {
        path: "/v1/release",
        access: Access::Role(Role::Admin),
        summary: "Lets everything go on.",
        id: "releaseAll",
        gives: Gives::Json(200, "Released"),
        run: run!(gateways::release_all),
        ..ACT
    },
    Route {
        path: "/v1/notices",
        summary: "Lists what operators were told of, newest first.",
        id: "listNotices",
        gives: Gives::Json(200, "Notices"),
        run: run!(notices::list),
        ..READ
    },
    Route {
        path: "/v1/notices/{thread}/acknowledge",
        access: Access::Role(Role::Sender),
        summary: "Says that somebody has seen it: it is not repeated.",
        id: "acknowledgeNotice",
        params: &["thread"],
        gives: Gives::Json(200, "Notice"),
        problems: &[Kind::NotFound, Kind::DiskFull],
        run: run!(notices::acknowledge),
        ..ACT
    },
    Route {
        path: "/v1/notices/{thread}/silence",
        access: Access::Role(Role::Sender),
        summary: "Tells nothing more of it until a time.",
        id: "silenceNotice",
        params: &["thread"],
        takes: Takes::Json("Maintenance"),
        gives: Gives::Json(200, "Notice"),
        problems: &[Kind::NotFound, Kind::DiskFull],
        run: run!(notices::silence),
        ..ACT
    },
    Route {
        path: "/v1/contacts",
        access: Access::Role(Role::Admin),
        summary: "Lists contacts by id, with their addresses.",
        id: "listContacts",
        params: &["after_contact", "limit"],
        gives: Gives::Json(200, "Contacts"),
        run: run!(contacts::list),
        ..READ
    },
    Route {
        path: "/v1/contacts",
        access: Access::Role(Role::Admin),
        summary: "Puts contacts, replacing those of the same id: all rows or none.",
        id: "putContacts",
        params: &["dry_run", "again"],
        takes: Takes::Json("ContactRows"),
        gives: Gives::Json(200, "ContactsPut"),
        problems: &[Kind::TooMany, Kind::DiskFull],
        run: run!(contacts::put),
        ..ACT
    },
    Route {
        path: "/v1/contacts/erase",
        access: Access::Role(Role::Admin),
        summary: "Erases a person: contact, addresses, replies. What is open to them ends; a list that is imported again leaves them out.",
        id: "eraseContact",
        takes: Takes::Json("Erase"),
        gives: Gives::Json(200, "ContactErased"),
        problems: &[Kind::NotFound, Kind::TooMany],
        run: run!(contacts::erase),
        ..ACT
    },
    Route {
        path: "/v1/tokens",
        access: Access::Role(Role::Admin),
        summary: "Makes a token; it is shown this once. A name that is taken is refused, unless it is to be replaced.",
        id: "makeToken",
        takes: Takes::Json("NewToken"),
        gives: Gives::Json(201, "Token"),
        problems: &[Kind::Refused, Kind::TooMany, Kind::DiskFull],
        run: run!(tokens::put),
        ..ACT
    },
    Route {
        path: "/v1/audit",
        summary: "Lists who did what, each act with its place in the chain, newest first; with `after`, oldest first. Where \
                  `next` is given there may be more, even below `limit`.",
        id: "listActs",
        params: &["before_act", "after_act", "limit", "who", "act_named", "since", "until"],
        gives: Gives::Json(200, "Acts"),
        run: run!(audit::list),
        ..READ
    },
    Route {
        path: "/v1/backup",
        access: Access::Role(Role::Admin),
        summary: "Hands out everything that is stored, as one moment saw it, while the service goes on. It is not sealed: `wasl backup` \
            seals it where it arrives. One that broke off lacks its last frame.",
        id: "takeBackup",
        gives: Gives::Bytes("application/octet-stream"),
        problems: &[Kind::TooMany],
        run: run!(backup::stream),
        ..READ
    },
    Route {
        path: "/v1/events",
        summary: "Streams what happens, as server-sent events.",
        id: "streamEvents",
        params: &["Last-Event-ID"],
        gives: Gives::Text("text/event-stream"),
        problems: &[Kind::TooMany],
        run: run!(events::open),
        ..READ
    },
    Route {
        path: "/hooks/{gateway}",
        summary: "Takes a provider's check of the address.",
        id: "checkHook",
        params: &["gateway"],
        ..HOOK
    },
    Route {
        verb: Verb::Post,
        path: "/hooks/{gateway}",
        summary: "Takes a provider's receipts, and what recipients say.",
        id: "takeHook",
        params: &["gateway"],
        ..HOOK
    },
    Route {
        path: "/hooks/{gateway}/{*rest}",
        summary: "The same, with a secret part in the path.",
        id: "checkKeyedHook",
        params: &["gateway", "rest"],
        ..HOOK
    },
    Route {
        verb: Verb::Post,
        path: "/hooks/{gateway}/{*rest}",
        summary: "The same, with a secret part in the path.",
        id: "takeKeyedHook",
        params: &["gateway", "rest"],
        ..HOOK
    },
    Route {
        path: "/healthz",
        access: Access::Health,
        summary: "Says whether the turn and the writer are alive.",
        id: "showHealth",
        gives: Gives::Json(200, "Health"),
        problems: &[Kind::Unavailable],
        run: run!(health::healthz),
        ..READ
    },
    Route {
        path: "/readyz",
        access: Access::Health,
        summary: "Says whether the outbox is loaded and a policy in force.",
        id: "showReadiness",
        gives: Gives::Json(200, "Health"),
        problems: &[Kind::Unavailable],
        run: run!(health::readyz),
        ..READ
    },
    Route {
        path: "/metrics",
        access: Access::Metrics,
        summary: "Gives the metrics in Prometheus' text format.",
        id: "showMetrics",
        gives: Gives::Text("text/plain"),
        run: run!(health::metrics),
        ..READ
    },
    Route {
        path: "/openapi.json",
        summary: "Describes this interface.",
        id: "describe",
        gives: Gives::Json(200, "Description"),
        run: run!(openapi::show),
        ..READ
    },
];
