//! The table of calls: what the router serves, whom it lets in, and what `/openapi.json` tells of it.
//!
//! Invariant: a call that is not in [`ROUTES`] does not exist, and one that is has exactly the role written here.

use super::access::Access;
use super::problem::Kind;
pub(crate) use super::route::{Gives, Takes};
pub use super::route::{Route, Verb};
use super::{
    alertmanager, audit, cap, contacts, correct, events, gateways, health, hooks, login, messages, notices,
    openapi, reach, tokens,
};
use crate::core::query::Role;
use crate::web::operate::Act;
use crate::web::{assets, deliveries, feed, message, operate, outages, page};

macro_rules! run {
    ($($handler:ident)::+) => {
        |app, call| Box::pin($($handler)::+(app, call))
    };
}

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

/// A form of the page on which people act: first it is said what it would do, then it is done.
const FORM: Route = Route {
    verb: Verb::Post,
    access: Access::Page(Role::Sender),
    takes: Takes::Form(&[]),
    gives: Gives::Step,
    params: &["lang"],
    problems: &[Kind::NotFound, Kind::Refused],
    ..READ
};

/// A page for people.
const PAGE: Route = Route { gives: Gives::Text("text/html"), access: Access::Open, ..READ };

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
pub static ROUTES: &[Route] = &[
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
        path: "/v1/deliveries",
        summary: "Shows the queue in numbers, and its oldest deliveries.",
        id: "showQueue",
        gives: Gives::Json(200, "Queue"),
        run: run!(gateways::queue),
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
        params: &["dry_run"],
        takes: Takes::Json("ContactRows"),
        gives: Gives::Json(200, "ContactsPut"),
        problems: &[Kind::TooMany, Kind::DiskFull],
        run: run!(contacts::put),
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
        summary: "Takes a provider's receipts.",
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
    Route {
        path: "/",
        access: Access::Page(Role::Viewer),
        summary: "Shows the overview to people.",
        id: "showOverview",
        params: &["lang"],
        run: run!(page::overview),
        ..PAGE
    },
    Route {
        path: "/wall",
        access: Access::Page(Role::Viewer),
        summary: "Shows the overview on a screen that nobody touches.",
        id: "showWall",
        params: &["lang"],
        run: run!(page::wall),
        ..PAGE
    },
    Route {
        path: "/gateways/{name}",
        access: Access::Page(Role::Viewer),
        summary: "Shows one gateway to people: its layers, the evidence, its history.",
        id: "showGatewayPage",
        params: &["gateway_name", "lang"],
        problems: &[Kind::NotFound],
        run: run!(page::gateway),
        ..PAGE
    },
    Route {
        path: "/messages/{id}",
        access: Access::Page(Role::Viewer),
        summary: "Shows one message to people: how far it is, what was tried and why.",
        id: "showMessagePage",
        params: &["message_id", "after_index", "delivery_index", "text_shown", "lang"],
        problems: &[Kind::NotFound],
        run: run!(message::show),
        ..PAGE
    },
    Route {
        path: "/deliveries",
        access: Access::Page(Role::Viewer),
        summary: "Shows the queue, the oldest deliveries and the newest messages to people, and finds one by its id.",
        id: "showDeliveriesPage",
        params: &["find", "before_message", "lang"],
        run: run!(deliveries::show),
        ..PAGE
    },
    Route {
        path: "/outages",
        access: Access::Page(Role::Viewer),
        summary: "Shows the outages to people.",
        id: "showOutagesPage",
        params: &["before_outage", "lang"],
        run: run!(outages::show),
        ..PAGE
    },
    Route {
        path: "/operate",
        access: Access::Page(Role::Viewer),
        summary: "Shows what people stopped and did, and the forms of those acts that the caller may do.",
        id: "showOperate",
        params: &["act", "done", "gateway_begun", "message_begun", "lang"],
        run: run!(operate::show),
        ..PAGE
    },
    Route {
        path: "/operate/send",
        summary: "Forecasts a message that a person wrote, and sends it once that is confirmed.",
        id: "sendByForm",
        takes: Takes::Form(Act::Send.fields()),
        problems: &[Kind::NotFound, Kind::Refused, Kind::KeyConflict],
        run: run!(operate::send),
        ..FORM
    },
    Route {
        path: "/operate/correct",
        summary: "Says whom a correction would go to, and corrects once that is confirmed.",
        id: "correctByForm",
        takes: Takes::Form(Act::Correct.fields()),
        problems: &[Kind::NotFound, Kind::Refused, Kind::KeyConflict],
        run: run!(operate::correct),
        ..FORM
    },
    Route {
        path: "/operate/cancel",
        summary: "Says what would be recalled, and recalls it once that is confirmed.",
        id: "cancelByForm",
        takes: Takes::Form(Act::Cancel.fields()),
        run: run!(operate::cancel),
        ..FORM
    },
    Route {
        path: "/operate/hold",
        summary: "Says what a stop would leave, and stops once that is confirmed.",
        id: "holdByForm",
        takes: Takes::Form(Act::Hold.fields()),
        run: run!(operate::hold),
        ..FORM
    },
    Route {
        path: "/operate/release",
        access: Access::Page(Role::Admin),
        summary: "Says what would go on, and releases once that is confirmed.",
        id: "releaseByForm",
        takes: Takes::Form(Act::Release.fields()),
        run: run!(operate::release),
        ..FORM
    },
    Route {
        path: "/operate/maintenance",
        access: Access::Page(Role::Admin),
        summary: "Says what planned work would leave, and lays it over a gateway once that is confirmed.",
        id: "maintainByForm",
        takes: Takes::Form(Act::Maintenance.fields()),
        run: run!(operate::maintenance),
        ..FORM
    },
    Route {
        path: "/feed",
        access: Access::Role(Role::Viewer),
        summary: "Streams the panels of a page as they change.",
        id: "streamPanels",
        params: &["lang", "of", "Last-Event-ID"],
        gives: Gives::Text("text/event-stream"),
        problems: &[Kind::TooMany, Kind::NotFound],
        run: run!(feed::open),
        ..PAGE
    },
    Route {
        path: "/assets/{name}",
        summary: "Gives a style, a script or an icon.",
        id: "showAsset",
        params: &["asset_name"],
        gives: Gives::Text("*/*"),
        problems: &[Kind::NotFound],
        run: run!(assets::serve),
        ..PAGE
    },
    Route {
        path: "/login",
        summary: "Asks a person for the token.",
        id: "showLogin",
        params: &["lang", "next"],
        run: run!(login::form_page),
        ..PAGE
    },
    Route {
        verb: Verb::Post,
        path: "/login",
        summary: "Exchanges a token for a session.",
        id: "login",
        takes: Takes::Form(&["token", "next"]),
        gives: Gives::Elsewhere,
        problems: &[Kind::NoToken, Kind::TooMany],
        run: run!(login::enter),
        ..PAGE
    },
    Route {
        verb: Verb::Post,
        path: "/logout",
        access: Access::Page(Role::Viewer),
        summary: "Ends the session.",
        id: "logout",
        takes: Takes::Form(&["csrf"]),
        gives: Gives::Elsewhere,
        problems: &[Kind::CrossSite],
        run: run!(login::leave),
        ..PAGE
    },
];
