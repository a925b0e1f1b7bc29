//! From encoded arguments to a signed request: steps 3 and 6 of the line.

use std::borrow::Cow;

use jiff::Timestamp;
use sesame_catalog::{HttpMethods, Urls, request_url, signed_path};
use sesame_core::{
    Clock, HttpRequest, Params, Result, Shape, Value,
    encode::{self, Wire},
    request::{FORM, HeaderValue, Method, encode_form},
    sign::{self, Pair, Signature, SigningKey},
    time,
};
use smallvec::SmallVec;

use crate::{contract::Contract, options::Call};

/// The longest form of arguments that goes into a query, in bytes; the whole URL stays below 8 KiB.
const LONGEST_QUERY: usize = 6 << 10;

/// The arguments of a call, flattened once and for all attempts. No `Debug`: they may be secrets.
pub(crate) struct Encoded<'a> {
    pub(crate) args: Params,
    /// The text arguments as a form, ready for the wire.
    form: Vec<u8>,
    pub(crate) url: String,
    pub(crate) path: Cow<'a, str>,
    pub(crate) method: Method,
}

/// Whose call it is.
pub(crate) struct Caller<'a> {
    pub(crate) app_key: &'a str,
    pub(crate) urls: &'a Urls,
}

impl<'a> Encoded<'a> {
    /// Flattens the arguments and lays out what does not change between attempts.
    pub(crate) fn new(contract: &'a Contract, caller: &Caller<'_>, call: &Call) -> Result<Self> {
        let api = &contract.api;
        let comma_list = encode::comma_lists(api.shape.protocol());
        let wire = |name: &str| Wire { comma_list, xml_root: contract.xml_root(name) };
        let mut args = encode::flatten(api.shape, &call.args, wire)?;
        for (name, file) in &call.files {
            encode::check_name(api.shape, name)?;
            args.push_value(name.clone(), Value::File(file.clone()))?;
        }
        let filled = match &api.path {
            Some(path) if path.contains('{') => Some(encode::fill_path(path, &mut args)?),
            _ => None,
        };
        let mut form = Vec::with_capacity(512);
        encode_form(&mut form, args.texts());
        // Servers cut or refuse long URLs; the SDKs send APIs that are printed as GET by POST, too.
        let get = api.http == Some(HttpMethods::Get) && !args.has_files() && form.len() <= LONGEST_QUERY;
        Ok(Self {
            form,
            url: request_url(caller.urls, api, caller.app_key, filled.as_deref()),
            path: match &filled {
                Some(filled) => signed_path(api, caller.app_key, Some(filled)).into_owned().into(),
                None => signed_path(api, caller.app_key, None),
            },
            method: if get { Method::GET } else { Method::POST },
            args,
        })
    }

    /// Returns the part of the URL that tells one host from another.
    pub(crate) fn host(&self) -> &str {
        self.url.split('/').nth(2).unwrap_or_default()
    }
}

/// The system parameters of one attempt.
pub(crate) type System<'a> = SmallVec<[(&'static str, Cow<'a, str>); 9]>;

/// Lists the system parameters of a shape.
///
/// Sources: protocols 1.2, 2.2, 2.5, 3.2. `partner_id` is left out: it names an SDK that we are
/// not. `simplify=false` on `/sync`, so that replies have the form that the catalog describes.
pub(crate) fn system<'a>(
    contract: &'a Contract,
    app_key: &'a str,
    token: Option<&'a str>,
    at: Timestamp,
) -> System<'a> {
    let api = &contract.api;
    let mut system = System::new();
    let millis = || Cow::Owned(at.as_millisecond().to_string());
    match api.shape {
        Shape::Param2 | Shape::Param2Params => system.push(("_aop_timestamp", millis())),
        Shape::IopRest | Shape::IopRestVariables | Shape::IopSync => {
            system.push(("app_key", app_key.into()));
            system.push(("sign_method", contract.digest.method.as_str().into()));
            system.push(("timestamp", millis()));
            if api.shape == Shape::IopSync {
                system.push(("method", api.name.as_str().into()));
                system.push(("format", "json".into()));
                system.push(("simplify", "false".into()));
            }
        }
        Shape::Top | Shape::TopBatch => {
            system.push(("app_key", app_key.into()));
            system.push(("format", "json".into()));
            system.push(("method", api.name.as_str().into()));
            system.push(("sign_method", contract.digest.method.as_str().into()));
            system.push(("timestamp", time::top_timestamp(at).into()));
            system.push(("v", "2.0".into()));
        }
    }
    if let Some(token) = token {
        system.push((api.shape.token_param(), token.into()));
    }
    system
}

/// Returns all pairs that are signed: arguments and system parameters.
pub(crate) fn pairs<'a>(encoded: &'a Encoded<'_>, system: &'a System<'_>) -> SmallVec<[Pair<'a>; 24]> {
    encoded.args.texts().chain(system.iter().map(|(name, value)| (*name, value.as_ref()))).collect()
}

/// Signs and lays out the request; returns the signature besides.
///
/// Token, signature and arguments travel in the body wherever the gateway reads them there: URLs
/// end up in the logs of proxies.
pub(crate) fn signed(
    contract: &Contract,
    encoded: &Encoded<'_>,
    system: &System<'_>,
    key: &SigningKey,
    clock: &dyn Clock,
) -> Result<(HttpRequest, Signature)> {
    let shape = contract.api.shape;
    let made = sign::sign(key, shape, &encoded.path, &pairs(encoded, system), b"");
    let signature = (shape.signature_param(), made.as_str());
    let mut request = if encoded.args.has_files() {
        let mut params = encoded.args.clone();
        for (name, value) in system {
            params.push(*name, value.as_ref())?;
        }
        params.push(signature.0, signature.1)?;
        let mut random = [0; 16];
        clock.random(&mut random);
        let boundary =
            random.iter().fold(String::from("sesame-"), |text, byte| text + &format!("{byte:02x}"));
        HttpRequest::multipart(encoded.url.clone(), &params, &boundary)
    } else {
        let mut form = Vec::with_capacity(encoded.form.len() + 448);
        form.extend_from_slice(&encoded.form);
        if !form.is_empty() {
            form.push(b'&');
        }
        let system = system.iter().map(|(name, value)| (*name, value.as_ref()));
        encode_form(&mut form, system.chain([signature]));
        if encoded.method == Method::GET {
            let mut url = encoded.url.clone();
            url.push('?');
            // Percent-encoding leaves ASCII only.
            url.push_str(std::str::from_utf8(&form).unwrap_or_default());
            HttpRequest::new(Method::GET, url)
        } else {
            HttpRequest::post(encoded.url.clone(), HeaderValue::from_static(FORM), form)
        }
    };
    for (name, value) in &contract.headers {
        request.headers.insert(name, value.clone());
    }
    Ok((request, made))
}
