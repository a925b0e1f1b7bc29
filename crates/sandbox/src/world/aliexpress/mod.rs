//! AliExpress: the legacy param2 namespace and the product list of the current gateway.

mod categories;
mod lists;
mod modules;
mod product;

pub(super) use lists::{legacy_row, solution_row};
pub(super) use modules::{Module, generate as modules, row as module_row};

use super::{Answer, Ask, json::Json};

/// Answers a call of the legacy namespace; `None` when the world does not back it.
pub(super) fn answer_legacy(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    Some(match ask.call.api.strip_prefix("aliexpress.open:")? {
        "api.findAeProductDetailModuleListByQurey" => modules::list(ask),
        "api.findAeProductModuleById" => modules::get(ask),
        "api.findProductInfoListQuery" => lists::legacy(ask),
        "api.findAeProductById" => product::get(ask),
        "api.getChildrenPostCategoryById" => categories::children(ask),
        "api.getPostCategoryById" => categories::get(ask),
        "api.getAttributesResultByCateId" => categories::attributes(ask),
        "api.getChildAttributesResultByPostCateIdAndPath" => categories::child_attributes(ask),
        _ => return None,
    })
}

/// Answers a call of the current gateway; `None` when the world does not back it.
pub(super) fn answer(ask: &Ask<'_>) -> Option<Result<String, Answer>> {
    (ask.call.api == "aliexpress.solution.product.list.get").then(|| lists::solution(ask))
}

/// Writes a business failure.
fn failed(code: &str, message: &str) -> String {
    let mut out = Json::default();
    out.object().put("success", false).with("errorCode", code).with("errorMsg", message).end();
    out.finish()
}
