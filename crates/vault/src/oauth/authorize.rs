//! The page where a seller approves an app.

use sesame_catalog::{Platform, Region, Urls};
use sesame_core::{
    AppSecret, Error, Result, Shape,
    request::with_query,
    sign::{Digest, SigningKey, sign},
};

/// What an authorize URL is made of.
pub(crate) struct Asked<'a> {
    pub(crate) platform: &'a Platform,
    pub(crate) region: Option<&'a Region>,
    pub(crate) urls: &'a Urls,
    pub(crate) app_key: &'a str,
    pub(crate) secret: &'a AppSecret,
    pub(crate) redirect_uri: &'a str,
    pub(crate) state: &'a str,
    pub(crate) country: Option<&'a str>,
}

/// Builds the URL by the platform's rules.
///
/// # Errors
/// [`ErrorKind::Usage`](sesame_core::ErrorKind::Usage) when the platform's page is not known.
pub(crate) fn url(asked: &Asked<'_>) -> Result<String> {
    let platform = asked.platform;
    let Some(page) = asked.urls.authorize.as_deref() else {
        return Err(Error::usage(format!("the authorize page of {} is not known", platform.title))
            .with_hint("Open the authorize page in the platform's console, approve the app there, then run `sesame login APP --code CODE`."));
    };
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(10);
    // The region's own values replace the platform's (`site=china` for `site=1688`).
    let mut put = |name, value| match pairs.iter_mut().find(|(had, _)| *had == name) {
        Some(pair) => pair.1 = value,
        None => pairs.push((name, value)),
    };
    for (name, value) in &platform.authorize.params {
        put(name.as_str(), value.as_str());
    }
    if let Some(region) = asked.region {
        for (name, value) in &region.params {
            put(name.as_str(), value.as_str());
        }
    }
    put("client_id", asked.app_key);
    put("redirect_uri", asked.redirect_uri);
    put("state", asked.state);
    if let Some(country) = asked.country {
        put("country", country);
    }
    let signed = asked.region.and_then(|region| region.signed).unwrap_or(platform.authorize.signed);
    if !signed {
        return Ok(with_query(page, pairs));
    }
    let digest = platform.digest(Shape::Param2Params).map_or(Digest::HmacSha1, |choice| choice.digest);
    let signature = sign(&SigningKey::new(digest, asked.secret), Shape::Param2Params, "", &pairs, b"");
    pairs.push((Shape::Param2Params.signature_param(), signature.as_str()));
    Ok(with_query(page, pairs))
}
