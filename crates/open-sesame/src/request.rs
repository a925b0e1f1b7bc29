//! One call, from its name to a typed answer.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use sesame_catalog::Safety;
use sesame_client::{Call, CallOutput, Client, Pages, Prepared};
use sesame_core::{Error, Result, params::File};

use crate::{Json, Rows};

/// A call that was not sent yet. Made by [`Sesame::call`](crate::Sesame::call).
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before `send`"]
pub struct CallRequest {
    client: Client,
    call: Call,
}

impl CallRequest {
    pub(crate) fn new(client: Client, account: String, api: String) -> Self {
        Self { client, call: Call::new(account, api) }
    }

    /// Adds an argument, or replaces it. Values may be JSON of any depth.
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<Json>) -> Self {
        self.call = self.call.arg(name, value);
        self
    }

    /// Adds all members of a value that serializes as an object, such as a struct that `sesame codegen rust` wrote.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a value that is not an object.
    pub fn args(mut self, arguments: &impl Serialize) -> Result<Self> {
        let Ok(Json::Object(members)) = serde_json::to_value(arguments) else {
            return Err(Error::usage("the arguments are not an object with names and values"));
        };
        for (name, value) in members {
            self.call = self.call.arg(name, value);
        }
        Ok(self)
    }

    /// Adds a file.
    pub fn file(mut self, name: impl Into<String>, file: File) -> Self {
        self.call = self.call.file(name, file);
        self
    }

    /// Sets the time that the whole call may take, waits and repeats included. Default: 60 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.call = self.call.timeout(timeout);
        self
    }

    /// Sets the maximum number of times the request is sent. Default: 4.
    pub fn attempts(mut self, limit: u32) -> Self {
        self.call = self.call.attempts(limit);
        self
    }

    /// Sets what the caller knows about the safety of this very call: one with an idempotency key of the
    /// platform may be repeated.
    pub fn safety(mut self, safety: Safety) -> Self {
        self.call.options.idempotency = Some(safety);
        self
    }

    /// Makes the call and returns the platform's answer, byte for byte, with warnings.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn send(self) -> Result<CallOutput> {
        self.client.call(&self.call).await
    }

    /// Makes the call and parses the payload of the answer.
    ///
    /// # Errors
    /// As [`Client::call`]; [`ErrorKind::Envelope`](crate::ErrorKind::Envelope) with the JSON path if the
    /// payload has another shape than `T`.
    pub async fn send_as<T: DeserializeOwned>(self) -> Result<T> {
        self.send().await?.reply.parse()
    }

    /// Reads the whole list, as a stream of its rows. Pages are fetched as rows are asked for.
    ///
    /// ```no_run
    /// # async fn example(sesame: open_sesame::Sesame) -> open_sesame::Result<()> {
    /// use open_sesame::Json;
    ///
    /// let mut rows = sesame.call("shop", "/products/get").rows::<Json>();
    /// while let Some(row) = rows.next().await {
    ///     println!("{}", row?["item_id"]);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn rows<T: DeserializeOwned>(self) -> Rows<T> {
        Rows::new(self.pages())
    }

    /// Reads the whole list, page by page.
    pub fn pages(self) -> Pages {
        self.client.pages(self.call)
    }

    /// Signs the request and does not send it.
    ///
    /// # Errors
    /// As [`Client::prepare`].
    pub async fn prepare(self) -> Result<Prepared> {
        self.client.prepare(&self.call).await
    }
}
