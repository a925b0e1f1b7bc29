//! Alibaba.com (ICBU), by paths (GOP) and by TOP names.

mod attributes;
mod categories;
mod groups;
mod orders;
mod products;
mod schema;
mod schema_fields;
mod schema_xml;
mod v2;

pub(super) use orders::row as order_row;
pub(super) use products::row;

use super::{Answer, Ask, json::Json};

/// How lists and roots are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Form {
    /// Paths on `/rest`: everything under `result`, plain lists (assumed by the catalog; no raw
    /// body was ever published).
    Gop,
    /// TOP names: each list inside an object, named after its class.
    Wrapped,
    /// TOP names with `simplify=true`: plain lists.
    Simple,
}

impl Form {
    /// Returns the wrapper of a list, if this form has one.
    pub(in crate::world) fn wrap(self, wrapper: &str) -> Option<&str> {
        (self == Self::Wrapped).then_some(wrapper)
    }
}

/// Answers an ICBU call; `None` when the world does not back it.
pub(super) fn answer(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    let form = match ask.call.api {
        path if path.starts_with('/') => Form::Gop,
        _ if ask.call.simplify => Form::Simple,
        _ => Form::Wrapped,
    };
    Some(match ask.call.api {
        "/alibaba/icbu/product/list" | "/icbu/product/list" | "alibaba.icbu.product.list" => {
            products::list(ask, form)
        }
        "/icbu/product/get" | "alibaba.icbu.product.get" => products::get(ask, form),
        "/icbu/product/category/get" | "alibaba.icbu.category.get.new" => categories::get(ask, form),
        "/alibaba/icbu/category/id/mapping" | "alibaba.icbu.category.id.mapping" => {
            categories::mapping(ask, form)
        }
        "/alibaba/icbu/product/schema/get" | "alibaba.icbu.product.schema.get" => schema::get(ask, form),
        "/icbu/product/schema/level/get"
        | "/alibaba/icbu/category/schema/level/get"
        | "alibaba.icbu.category.schema.level.get" => schema::level(ask, form),
        "/alibaba/icbu/product/group/get" | "alibaba.icbu.product.group.get" => groups::get(ask, form),
        "/icbu/product/photobank/group/list" | "alibaba.icbu.photobank.group.list" => {
            groups::photo_groups(ask, form)
        }
        "/icbu/product/photobank/list" | "alibaba.icbu.photobank.list" => groups::photos(ask, form),
        "/alibaba/icbu/product/id/encrypt" | "alibaba.icbu.product.id.encrypt" => {
            products::encrypt(ask, form)
        }
        "alibaba.icbu.product.id.decrypt" => products::decrypt(ask),
        "/alibaba/icbu/category/get/v2" => attributes::categories(ask),
        "/alibaba/icbu/category/attribute/get/v2" => attributes::get(ask),
        "/alibaba/icbu/product/get/v2" => v2::get(ask),
        "/alibaba/icbu/product/search/v2" => v2::search(ask),
        "/alibaba/order/list" => orders::list(ask),
        _ => return None,
    })
}

/// Writes the trace id that most GOP answers carry.
fn trace(ask: &Ask<'_>, out: &mut Json) {
    let millis = ask.call.now.as_millisecond().unsigned_abs();
    out.with("trace_id", &format!("213e0a01{millis:013}{:04}d0001", millis % 9_973));
}

/// Writes a business failure: the envelope says success, `result.success` says no.
///
/// `msg_code` and `message_info` are the documented names on GOP, `msg_code` and `message` on TOP.
fn failure(form: Form, code: &str, message: &str) -> String {
    let mut out = Json::default();
    if form == Form::Gop {
        out.object().key("result").object().put("success", false);
        out.with("message_info", message).with("msg_code", code).end().end();
    } else {
        out.object().put("biz_success", false).with("message", message).with("msg_code", code).end();
    }
    out.finish()
}
