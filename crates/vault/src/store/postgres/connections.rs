//! Connections to the server: few, bounded in time, thrown away when in doubt.
//!
//! A connection goes back only when what it was asked last was answered. One whose work took too long or
//! was dropped half-way is closed: what it was in the middle of cannot be known.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::relay;
use crate::database::{Database, Server};

/// Maximum number of connections of one vault; most of the time one or two are open.
const MOST: usize = 8;
/// How long making a connection may take.
const CONNECTING: Duration = Duration::from_secs(10);
/// How long a free connection is waited for.
const WAITING: Duration = Duration::from_secs(15);
/// A connection that rested longer is asked first whether it still is one.
const RESTED: Duration = Duration::from_secs(1);
/// One that rested longer is not used again: a firewall may have forgotten it.
const STALE: Duration = Duration::from_mins(5);

struct Idle {
    connection: PgConnection,
    since: Instant,
}

pub(in crate::store) struct Connections {
    options: PgConnectOptions,
    /// Host and port of a server that is reached over TCP without TLS.
    relayed: Option<(String, u16)>,
    /// Certificates and a key that the connection is made with.
    files: Vec<PathBuf>,
    permits: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

/// A connection in use. Dropped, it goes back to the others if its last statement was answered and no
/// transaction is open; else it is closed.
pub(in crate::store) struct Lent {
    connection: Option<PgConnection>,
    connections: Arc<Connections>,
    is_waiting: bool,
    in_transaction: bool,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    /// Returns the connection for a statement; see [`Lent::answered`].
    pub(in crate::store) fn connection(&mut self) -> &mut PgConnection {
        self.is_waiting = true;
        // Taken on drop alone.
        #[expect(clippy::expect_used, reason = "it is there until this is dropped")]
        self.connection.as_mut().expect("a connection that is in use")
    }

    /// Notes that a statement was answered, if it was. A name that is taken is an answer, too; after any
    /// other error the connection may be lost.
    pub(in crate::store) fn answered<T>(&mut self, done: sqlx::Result<T>) -> sqlx::Result<T> {
        self.is_waiting = match &done {
            Ok(_) => false,
            Err(sqlx::Error::Database(error)) => !error.is_unique_violation(),
            Err(_) => true,
        };
        done
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self, begin: &'static str) -> sqlx::Result<()> {
        let done = sqlx::raw_sql(begin).execute(self.connection()).await;
        self.answered(done)?;
        self.in_transaction = true;
        Ok(())
    }

    /// Commits the transaction, if one is open.
    pub(in crate::store) async fn commit(mut self) -> sqlx::Result<()> {
        if self.in_transaction {
            let done = sqlx::raw_sql("COMMIT").execute(self.connection()).await;
            self.answered(done)?;
            self.in_transaction = false;
        }
        Ok(())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| !self.is_waiting && !self.in_transaction)
        {
            self.connections.idle().push(Idle { connection, since: Instant::now() });
        }
    }
}

impl Connections {
    pub(super) fn to(database: &Database) -> Arc<Self> {
        let files = [&database.root_certificate, &database.certificate, &database.certificate_key];
        Arc::new(Self {
            options: options(database),
            relayed: match &database.server {
                Server::Host(host) if !database.tls => Some((host.clone(), database.port)),
                _ => None,
            },
            files: files.into_iter().flatten().cloned().collect(),
            permits: Arc::new(Semaphore::new(MOST)),
            idle: Mutex::default(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out a connection that works, or did a second ago.
    pub(super) async fn take(self: &Arc<Self>) -> sqlx::Result<Lent> {
        let permit = match timeout(WAITING, self.permits.clone().acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(sqlx::Error::PoolClosed),
            Err(_) => return Err(sqlx::Error::PoolTimedOut),
        };
        let connection = match self.rested().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lent {
            connection: Some(connection),
            connections: self.clone(),
            is_waiting: false,
            in_transaction: false,
            _permit: permit,
        })
    }

    async fn rested(&self) -> Option<PgConnection> {
        loop {
            // The guard ends with this statement: it is not held while the server is asked.
            let Idle { mut connection, since } = self.idle().pop()?;
            let rested = since.elapsed();
            if rested < RESTED {
                return Some(connection);
            }
            if rested < STALE && matches!(timeout(CONNECTING, connection.ping()).await, Ok(Ok(()))) {
                return Some(connection);
            }
            // Those below have rested even longer.
            self.idle().clear();
        }
    }

    async fn connect(&self) -> sqlx::Result<PgConnection> {
        // Looked at first: the library's error would be that of a missing socket.
        for path in &self.files {
            if let Err(error) = tokio::fs::File::open(path).await {
                let why = format!("the certificate file {}: {error}", path.display());
                return Err(sqlx::Error::Configuration(why.into()));
            }
        }
        let made = timeout(CONNECTING, async {
            let mut connection = match &self.relayed {
                Some((host, port)) => relay::connect(&self.options, host, *port).await?,
                None => self.options.connect().await?,
            };
            sqlx::raw_sql(SETTINGS).execute(&mut connection).await?;
            Ok(connection)
        });
        match made.await {
            Ok(connection) => connection,
            Err(_) => {
                Err(io::Error::new(io::ErrorKind::NotConnected, "no connection within 10 seconds").into())
            }
        }
    }

    /// Closes all connections that rest, and waits for those at work.
    pub(super) async fn close(&self) {
        let all = u32::try_from(MOST).unwrap_or(u32::MAX);
        let rest = timeout(WAITING, self.permits.acquire_many(all)).await;
        self.permits.close();
        drop(rest);
        let idle = std::mem::take(&mut *self.idle());
        for Idle { connection, .. } in idle {
            let _ = timeout(RESTED, connection.close()).await;
        }
    }
}

/// The settings of each connection. An answer means that it is on the disk, whatever the database
/// was set to; nothing waits forever; no statement waits for the JIT compiler.
const SETTINGS: &str = "
SET search_path = sesame;
SET statement_timeout = '30s';
SET lock_timeout = '15s';
SET idle_in_transaction_session_timeout = '60s';
SET default_transaction_isolation = 'read committed';
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit', true) = 'off';
SELECT set_config('jit', 'off', false) WHERE current_setting('jit', true) = 'on';
";

fn options(database: &Database) -> PgConnectOptions {
    // The library looks for `~/.pgpass` only while it reads an address: this one has no secret in it.
    let (Server::Host(host) | Server::Socket(host)) = &database.server;
    let port = database.port.to_string();
    let parts = [
        ("host", Some(host.as_str())),
        ("port", Some(&port)),
        ("user", database.user.as_deref()),
        ("dbname", database.name.as_deref()),
    ];
    let parts = parts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let address = url::Url::parse_with_params("postgres://localhost", parts).ok();
    let mut options = address
        .and_then(|address| PgConnectOptions::from_url(&address).ok())
        .unwrap_or_else(PgConnectOptions::new_without_pgpass)
        .port(database.port);
    options = match &database.server {
        Server::Host(host) => options.host(host),
        Server::Socket(path) => options.socket(path),
    };
    if let Some(password) = &database.password {
        options = options.password(password.expose());
    }
    if let Some(path) = &database.root_certificate {
        options = options.ssl_root_cert(path);
    }
    if let (Some(certificate), Some(key)) = (&database.certificate, &database.certificate_key) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    options
        .ssl_mode(if database.tls { PgSslMode::VerifyFull } else { PgSslMode::Disable })
        .application_name(database.application.as_deref().unwrap_or("sesame"))
        .disable_statement_logging()
}
