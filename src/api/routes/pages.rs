//! The calls of people: pages, what is done on them, the way in.

use super::{Gives, READ, Route, Takes, Verb};
use crate::api::access::Access;
use crate::api::login;
use crate::api::problem::Kind;
use crate::core::query::Role;
use crate::web::operate::Act;
use crate::web::{assets, deliveries, feed, message, operate, outages, page, report};

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

/// Every one of them.
pub(super) const PAGES: &[Route] = &[
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
        summary: "Shows the queue, the oldest deliveries and the newest messages to people, finds one by its id, and lists those of a \
                  state, channel, gateway, severity, incident or exercise.",
        id: "showDeliveriesPage",
        params: &[
            "find",
            "before_message",
            "after_delivery",
            "delivery_state",
            "channel",
            "of_gateway",
            "severity",
            "of_incident",
            "drill",
            "lang",
        ],
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
        path: "/outages/{id}",
        access: Access::Page(Role::Viewer),
        summary: "Shows one outage to people: what it was, the evidence, what it did to whom. It prints.",
        id: "showReportPage",
        params: &["outage_id", "lang"],
        problems: &[Kind::NotFound],
        run: run!(report::show),
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
        path: "/operate/drill",
        summary: "Says what a drill would turn away, and begins it once that is confirmed.",
        id: "drillByForm",
        takes: Takes::Form(Act::Drill.fields()),
        run: run!(operate::drill),
        ..FORM
    },
    Route {
        path: "/operate/end-drill",
        summary: "Says what the end of a drill brings back, and ends it once that is confirmed.",
        id: "endDrillByForm",
        takes: Takes::Form(Act::EndDrill.fields()),
        run: run!(operate::end_drill),
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
