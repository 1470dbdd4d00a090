//! Which panels each page has.

use super::panels::{
    BANNERS, GATEWAY, GATEWAYS, HAPPENED, OLDEST, OPEN, OUTAGES, Panel, QUEUE, RECORD, STOPPED, TIMELINE,
    VERDICT, VITALS, WALL_GATEWAYS, WALL_OUTAGES,
};

/// A page whose panels show the picture as it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Sheet {
    /// `/`.
    Overview,
    /// `/wall`.
    Wall,
    /// `/deliveries`.
    Deliveries,
    /// `/outages`.
    Outages,
    /// `/operate`.
    Operate,
    /// `/gateways/{name}`.
    Gateway(String),
    /// Every other page: what must not be overlooked.
    Plain,
}

impl Sheet {
    /// Finds the sheet of an address of ours.
    pub(super) fn of(path: &str) -> Option<Sheet> {
        Some(match path {
            "/" => Sheet::Overview,
            "/wall" => Sheet::Wall,
            "/deliveries" => Sheet::Deliveries,
            "/outages" => Sheet::Outages,
            "/operate" => Sheet::Operate,
            "/plain" => Sheet::Plain,
            _ => Sheet::Gateway(path.strip_prefix("/gateways/")?.to_owned()),
        })
    }

    /// Returns its panels, in the order of the page.
    pub(super) fn panels(&self) -> Vec<&'static Panel> {
        match self {
            Sheet::Overview => {
                vec![&BANNERS, &VERDICT, &VITALS, &GATEWAYS, &OUTAGES, &HAPPENED, &OPEN]
            }
            Sheet::Wall => vec![&BANNERS, &VERDICT, &VITALS, &WALL_GATEWAYS, &WALL_OUTAGES],
            Sheet::Deliveries => vec![&BANNERS, &VERDICT, &QUEUE, &OLDEST],
            Sheet::Outages => vec![&BANNERS, &VERDICT, &TIMELINE, &RECORD],
            Sheet::Operate => vec![&BANNERS, &VERDICT, &STOPPED],
            Sheet::Gateway(_) => [&BANNERS, &VERDICT].into_iter().chain(GATEWAY).collect(),
            Sheet::Plain => vec![&BANNERS, &VERDICT],
        }
    }

    /// Returns the gateway that it is about.
    pub(super) fn gateway(&self) -> Option<&str> {
        match self {
            Sheet::Gateway(name) => Some(name),
            _ => None,
        }
    }

    /// Says whether anything on it may be clicked.
    pub(super) fn is_wall(&self) -> bool {
        *self == Sheet::Wall
    }
}
