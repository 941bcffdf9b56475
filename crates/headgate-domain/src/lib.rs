//! The rules of Headgate: who may be written to, when, and what is kept.
//!
//! Everything here is a plain function from values to decisions. This crate has no I/O, no clock,
//! no randomness, no environment and no AWS (invariant I1): `now` is a parameter, bytes that must
//! be random are parameters, and what was stored is handed in.

pub mod api_token;
pub mod budget;
pub mod ceilings;
pub mod config;
pub mod confirm_link;
pub mod consent;
pub mod control_message;
pub mod disposition;
pub mod do_not_call;
pub mod do_not_sell;
pub mod event;
pub mod health;
pub mod holder;
pub mod identity;
pub mod import;
pub mod lane;
pub mod ledger;
pub mod link;
pub mod live;
pub mod note;
pub mod optin_code;
pub mod optout;
pub mod outbound;
pub mod pacing;
pub mod pair;
pub mod policy;
pub mod privacy;
pub mod processors;
pub mod profiles;
pub mod recent;
pub mod record;
pub mod refusal;
pub mod region;
pub mod relayed;
pub mod report;
pub mod retention;
pub mod risk;
pub mod sealing;
pub mod system;
pub mod time;
pub mod trail;
pub mod turns;
pub mod wording;
