//! What a call is about, as far as it is known; for faults, statistics and the log.

use std::{borrow::Cow, cell::Cell, sync::Arc};

use sesame_catalog::Api;

use crate::{apps::App, faults::Plan, reply::WebReply, source::ReplySource, state::State};

/// What a call is about, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Trace<'a> {
    pub(crate) app: Option<&'a App>,
    pub(crate) contract: Option<Arc<Api>>,
    pub(crate) api: Cow<'a, str>,
    pub(crate) plan: Option<Plan>,
    /// What the sandbox let pass although a live gateway may not.
    pub(crate) warning: Cell<Option<&'static str>>,
    /// Where the reply comes from.
    pub(crate) source: Cell<Option<ReplySource>>,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(app: Option<&'a App>, api: impl Into<Cow<'a, str>>) -> Self {
        Self { app, api: api.into(), ..Self::default() }
    }

    /// Decides which faults the call meets.
    pub(crate) fn plan(&mut self, state: &State) {
        let platform = self.app.map_or("", |app| app.platform_name.as_str());
        self.plan = state.faults.plan(platform, &[self.api.as_ref(), self.canonical()]);
    }

    /// Decides which faults the call meets. Returns the reply of one that strikes before anything is
    /// checked.
    pub(crate) fn strike(&mut self, state: &State) -> Option<WebReply> {
        self.plan(state);
        let edge = self.plan.as_ref()?.edge.as_ref()?;
        self.count(state, "fault at the edge");
        Some(WebReply::of_edge(edge).with_faults(self.plan.as_ref()))
    }

    /// Adds to a reply what the call met: the id of its refusal, warnings, faults.
    pub(crate) fn finish(&self, mut reply: WebReply, refusal: Option<String>) -> WebReply {
        if let Some(warning) = self.warning.get() {
            tracing::warn!(api = self.canonical(), "{warning}");
            reply = reply.with_header("x-sandbox-warning", warning);
        }
        if let Some(source) = self.source.get().filter(|_| refusal.is_none()) {
            reply = reply.with_header("x-sandbox-source", source.as_str());
        }
        if let Some(id) = refusal {
            reply = reply.with_header("x-sandbox-refusal", id);
        }
        reply.with_faults(self.plan.as_ref())
    }

    /// Returns the name by which the catalog knows the API, or an empty string.
    pub(crate) fn canonical(&self) -> &str {
        self.contract.as_ref().map_or("", |contract| contract.name.as_str())
    }

    pub(crate) fn count(&self, state: &State, code: &str) {
        let platform = self.app.map_or("(unknown app)", |app| app.platform_name.as_str());
        let name = if self.contract.is_some() { self.canonical() } else { &self.api };
        state.stats.count(platform, name, code);
    }
}
