//! The address of a vault in PostgreSQL: read strictly, shown without its password.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
};

use percent_encoding::percent_decode_str;
use sesame_core::{AppSecret, Error, Result};
use sha2::{Digest as _, Sha256};
use url::Url;

/// The default port.
const PORT: u16 = 5_432;
/// The parameters that an address may have.
const KNOWN: &str =
    "host, port, dbname, user, password, sslmode, sslrootcert, sslcert, sslkey, application_name";

/// A database of a PostgreSQL server: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
///
/// `Debug` and `Display` show `***` for the password. Where none is given, `PGPASSWORD` and
/// `~/.pgpass` are asked, as everywhere with PostgreSQL. Beyond this machine TLS is always used and
/// the server's certificate and name are always verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Database {
    pub(crate) server: Server,
    pub(crate) port: u16,
    pub(crate) name: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<AppSecret>,
    pub(crate) tls: bool,
    pub(crate) root_certificate: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) certificate_key: Option<PathBuf>,
    pub(crate) application: Option<String>,
    home: Option<PathBuf>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    /// A name or an address of a machine.
    Host(String),
    /// The directory of a socket on this machine.
    Socket(String),
}

impl Server {
    fn parse(text: &str) -> Result<Self> {
        let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if text.contains(',') {
            return Err(Error::usage("the vault's address names several hosts, and Sesame takes one")
                .with_hint("Name the host that takes writes, or an address that always leads to it."));
        }
        if text.starts_with('/') {
            return Ok(Self::Socket(text.to_owned()));
        }
        let odd = |char: char| !(char.is_alphanumeric() || matches!(char, '.' | '-' | '_' | ':' | '%'));
        if text.is_empty() || text.contains(odd) {
            return Err(malformed("invalid host"));
        }
        Ok(Self::Host(text.to_ascii_lowercase()))
    }

    /// Returns `true` if connections do not leave this machine.
    fn is_here(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Host(name) if name == "localhost" => true,
            Self::Host(name) => {
                name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
            }
        }
    }
}

/// Returns the error for an invalid address. It is not repeated: it may hold a password.
fn malformed(why: impl fmt::Display) -> Error {
    Error::usage(format!("the vault's address is not a PostgreSQL address: {why}")).with_hint(
        "Write postgres://USER:PASSWORD@HOST:PORT/DATABASE; in the password each of % / ? # @ : and blanks \
         is written as %XX (openssl rand -hex 24 makes one without them).",
    )
}

impl Database {
    /// Reads an address.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) for one that cannot be read, that has a
    /// parameter Sesame does not know, or that asks for TLS without verification. No error repeats it.
    pub fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(&with_host(text)).map_err(malformed)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(malformed("it does not begin with postgres://"));
        }
        if url.fragment().is_some() {
            return Err(malformed("it has a #"));
        }
        let plain = |part: &str, what: &str| {
            let text = percent_decode_str(part).decode_utf8().map(std::borrow::Cow::into_owned);
            match text {
                Ok(text) if !text.contains('\0') => Ok(text),
                _ => Err(malformed(format!("its {what} is not UTF-8 text"))),
            }
        };
        let some = |text: String| (!text.is_empty()).then_some(text);
        let mut host = match url.host_str() {
            Some(host) if !host.is_empty() => Some(plain(host, "host")?),
            _ => None,
        };
        let mut port = url.port();
        let mut user = some(plain(url.username(), "user")?);
        let mut password = url.password().map(|text| plain(text, "password")).transpose()?;
        let mut name = some(plain(url.path().trim_start_matches('/'), "database")?);
        if name.as_ref().is_some_and(|name| name.contains('/')) {
            return Err(malformed("its database has a /"));
        }
        let (mut mode, mut root_certificate, mut certificate, mut certificate_key) = (None, None, None, None);
        let mut application = None;
        for (key, value) in url.query_pairs() {
            let value = value.into_owned();
            match &*key {
                "host" | "hostaddr" => host = some(value),
                "port" => {
                    port =
                        Some(value.parse().map_err(|_| malformed("its port is not a number up to 65535"))?);
                }
                "dbname" => name = some(value),
                "user" => user = some(value),
                "password" => password = some(value),
                "sslmode" => mode = Some(value),
                "sslrootcert" => root_certificate = some(value).map(PathBuf::from),
                "sslcert" => certificate = some(value).map(PathBuf::from),
                "sslkey" => certificate_key = some(value).map(PathBuf::from),
                "application_name" => application = some(value),
                // It may be the rest of a password with a question mark.
                _ => {
                    return Err(Error::usage(
                        "the vault's address has a parameter that Sesame does not know",
                    )
                    .with_hint(format!(
                        "It knows: {KNOWN}. A question mark in the password is written as %3F."
                    )));
                }
            }
        }
        if certificate.is_some() != certificate_key.is_some() {
            return Err(Error::usage("sslcert and sslkey of the vault's address go together"));
        }
        let server = Server::parse(host.as_deref().unwrap_or("localhost"))?;
        let tls = verifies(mode.as_deref(), &server)?;
        Ok(Self {
            server,
            port: port.unwrap_or(PORT),
            name,
            user,
            password: password.map(AppSecret::new),
            tls,
            root_certificate,
            certificate,
            certificate_key,
            application,
            home: None,
        })
    }

    /// Sets the directory on this machine where key file and journal of the vault live.
    #[must_use]
    pub fn at_home(mut self, directory: impl Into<PathBuf>) -> Self {
        self.home = Some(directory.into());
        self
    }

    /// Returns `true` if the address holds a password.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    /// Returns what the names of key file and journal begin with: the home and a hash of host, port
    /// and database, so that two vaults share neither.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) without a home.
    pub(crate) fn base(&self) -> Result<PathBuf> {
        let home: &Path = self.home.as_deref().ok_or_else(|| {
            Error::usage("a vault in PostgreSQL also needs a directory on this machine")
                .with_hint("Its key file and its journal live there: Location::at_home(DIRECTORY).")
        })?;
        Ok(home.join(format!("vault-{}", self.fingerprint())))
    }

    fn fingerprint(&self) -> String {
        let (Server::Host(place) | Server::Socket(place)) = &self.server;
        let whole = format!("{place}\n{}\n{}", self.port, self.shown_name());
        hex::encode(&Sha256::digest(whole.as_bytes())[..6])
    }

    /// The database, or what the server takes where none is named.
    fn shown_name(&self) -> &str {
        self.name.as_deref().or(self.user.as_deref()).unwrap_or_default()
    }

    /// Returns server and database, for messages.
    #[cfg(feature = "postgres")]
    pub(crate) fn place(&self) -> String {
        let place = match &self.server {
            Server::Host(host) if host.contains(':') => format!("[{host}]:{}", self.port),
            Server::Host(host) => format!("{host}:{}", self.port),
            Server::Socket(path) => format!("{path} (port {})", self.port),
        };
        match self.shown_name() {
            "" => place,
            name => format!("{name:?} at {place}"),
        }
    }
}

/// Puts in the host that `postgres://USER@/DATABASE` leaves out: no URL, and PostgreSQL's own form of
/// an address by a socket.
fn with_host(text: &str) -> std::borrow::Cow<'_, str> {
    let Some(start) = text.find("://").map(|at| at + 3) else { return text.into() };
    let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
    if text[start..end].ends_with('@') {
        return format!("{}localhost{}", &text[..end], &text[end..]).into();
    }
    text.into()
}

/// Decides whether TLS is spoken: always verified, and always beyond this machine.
fn verifies(mode: Option<&str>, server: &Server) -> Result<bool> {
    match (mode, server.is_here()) {
        (Some("verify-full"), _) => match server {
            Server::Host(_) => Ok(true),
            Server::Socket(_) => Err(Error::usage("a socket has no TLS").with_hint("Leave sslmode out.")),
        },
        (None, here) => Ok(!here),
        (Some("disable" | "allow" | "prefer"), true) => Ok(false),
        (Some(mode @ ("disable" | "allow" | "prefer" | "require" | "verify-ca")), here) => {
            let otherwise = if here { ", or leave it out" } else { " (it is what no sslmode means)" };
            Err(Error::usage(format!(
                "sslmode={mode} would take any server, or none that proves its name, for the vault's own"
            ))
            .with_hint(format!(
                "Use sslmode=verify-full{otherwise}. For a certificate of your own authority add sslrootcert=FILE."
            )))
        }
        (Some(_), _) => {
            Err(Error::usage("the vault's address has an unknown sslmode")
                .with_hint("Use sslmode=verify-full."))
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
        }
        if self.password.is_some() {
            f.write_str(":***")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        match &self.server {
            Server::Host(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port)?,
            Server::Host(host) => write!(f, "{host}:{}", self.port)?,
            Server::Socket(_) => {}
        }
        write!(f, "/{}", self.name.as_deref().unwrap_or_default())?;
        let mut join = '?';
        let mut parameter = |f: &mut fmt::Formatter<'_>, key: &str, value: &dyn fmt::Display| {
            write!(f, "{join}{key}={value}")?;
            join = '&';
            Ok(())
        };
        if let Server::Socket(path) = &self.server {
            parameter(f, "host", path)?;
            if self.port != PORT {
                parameter(f, "port", &self.port)?;
            }
        }
        if self.tls {
            parameter(f, "sslmode", &"verify-full")?;
        }
        if let Some(path) = &self.root_certificate {
            parameter(f, "sslrootcert", &path.display())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({self})")
    }
}

#[cfg(test)]
#[cfg(feature = "postgres")]
mod tests {
    use super::*;

    const PASSWORD: &str = "planted-hunter2-password";

    fn shown(text: &str) -> String {
        Database::parse(text).unwrap().to_string()
    }

    fn refused(text: &str) -> String {
        let error = Database::parse(text).unwrap_err();
        let all = format!("{error} {error:?} {:?}", error.hint());
        assert!(!all.contains("hunter2"), "{all}");
        assert_eq!(error.kind(), sesame_core::ErrorKind::Usage);
        all
    }

    #[test]
    fn the_password_is_read_and_never_shown() {
        let address =
            Database::parse("postgres://shop:planted-hunter2%2F%40password@db.example/vault").unwrap();
        assert_eq!(address.password.as_ref().unwrap().expose(), "planted-hunter2/@password");
        let shown = format!("{address} {address:?} {}", address.place());
        assert!(!shown.contains("hunter2") && !shown.contains("password"), "{shown}");
        assert!(shown.contains("postgres://shop:***@db.example:5432/vault?sslmode=verify-full"), "{shown}");
        let address = format!("postgres:///vault?user=shop&password={PASSWORD}");
        assert_eq!(Database::parse(&address).unwrap().password.unwrap().expose(), PASSWORD);
        assert!(!self::shown(&address).contains(PASSWORD));
    }

    #[test]
    fn addresses_that_cannot_be_read_are_not_repeated() {
        for odd in [
            format!("postgres://shop:{PASSWORD}/x@db/vault"),
            format!("postgres://shop:{PASSWORD}#x@db/vault"),
            format!("postgres://shop:1@/{PASSWORD}@db/vault"),
            format!("postgres://shop:12?{PASSWORD}=4@db/vault"),
            format!("postgres://shop:12#{PASSWORD}@db/vault"),
            format!("postgres://shop:{PASSWORD}%FF@db/vault"),
            format!("postgres://shop:{PASSWORD}%00@db/vault"),
            format!("postgres://shop:{PASSWORD}@db/vault/more"),
            format!("postgres://shop:{PASSWORD}@a,b/vault"),
            format!("postgres://shop:{PASSWORD}@db:99999/vault"),
            format!("postgres://shop:{PASSWORD}@db/vault?port=x"),
            format!("postgres://shop:{PASSWORD}@db/vault?sslcert=a"),
            format!("postgres://shop:{PASSWORD}@db/vault?sslmode={PASSWORD}"),
            format!("postgres://shop:{PASSWORD}@d b/vault"),
        ] {
            refused(&odd);
        }
    }

    #[test]
    fn beyond_this_machine_the_server_proves_its_name() {
        for (address, tls) in [
            ("postgres://db.example/v", true),
            ("postgres://db.example/v?sslmode=verify-full&sslrootcert=/ca.pem", true),
            ("postgres://10.0.0.7/v", true),
            ("postgres://localhost.example/v", true),
            ("postgres://[2001:db8::1]/v", true),
            ("postgres://localhost/v", false),
            ("postgres://LOCALHOST/v?sslmode=disable", false),
            ("postgres://127.8.0.1/v?sslmode=prefer", false),
            ("postgres://[::1]/v", false),
            ("postgres://[::ffff:127.0.0.1]/v", false),
            ("postgres://[::1]/v?sslmode=verify-full", true),
            ("postgres:///v?host=/var/run/postgresql", false),
            ("postgres://shop@/v?host=/var/run/postgresql", false),
            ("postgres://shop:secret@?host=/var/run/postgresql", false),
            ("postgres://%2Fvar%2Frun%2Fpostgresql/v", false),
        ] {
            assert_eq!(Database::parse(address).unwrap().tls, tls, "{address}");
        }
        for mode in ["disable", "allow", "prefer", "require", "verify-ca"] {
            let why = refused(&format!("postgres://db.example/v?sslmode={mode}"));
            assert!(why.contains("verify-full"), "{why}");
        }
        refused("postgres://localhost/v?sslmode=require");
        refused("postgres:///v?host=/run&sslmode=verify-full");
    }

    #[test]
    fn key_and_journal_are_named_after_the_database_and_not_after_who_asks() {
        let base = |text: &str| Database::parse(text).unwrap().at_home("/h").base().unwrap();
        let one = base("postgres://shop:a@db.example/vault");
        assert_eq!(one, base("postgres://other:b@DB.example:5432/vault?sslmode=verify-full"));
        for other in ["postgres://db.example/two", "postgres://db.example:1/vault", "postgres://b/vault"] {
            assert_ne!(one, base(other), "{other}");
        }
        assert!(one.to_str().unwrap().starts_with("/h/vault-"));
        assert!(Database::parse("postgres://db/vault").unwrap().base().is_err());
    }
}
