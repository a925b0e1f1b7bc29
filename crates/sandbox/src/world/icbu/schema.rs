//! ICBU's schema documents: what a category asks for, and the next level of a cascade.

use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};

use super::{
    Form, failure,
    schema_fields::{AFTER, BEFORE},
    schema_xml::Xml,
    trace,
};
use crate::world::{
    Answer, Ask,
    attributes::{self, Attribute, COLOR, Kind},
    categories::Family,
    json::Json,
    words::Language,
};

/// Deeper documents than this are refused; real ones have six levels.
const DEEPEST: usize = 64;
/// Larger documents than this are refused. Twice the largest rendered product seen.
const LARGEST: usize = 300_000;

/// `/alibaba/icbu/product/schema/get`: rules without values.
///
/// On TOP the two arguments travel in a wrapper object (documented).
pub(super) fn get(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    if form != Form::Gop {
        return wrapped(ask, form);
    }
    let id = ask.read.required("cat_id")?.parse().map_err(|_| ask.read.invalid("cat_id"))?;
    Ok(document(ask, form, id, ask.read.required("language")?))
}

fn wrapped(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    const WRAPPER: &str = "param_product_top_publish_request";
    let request = ask.read.object(WRAPPER)?.ok_or_else(|| ask.read.missing(WRAPPER))?;
    let id = request.get("cat_id").and_then(sesame_core::scalar::integer);
    let id = id.and_then(|id| u64::try_from(id).ok()).ok_or_else(|| ask.read.missing("cat_id"))?;
    let language = request.get("language").and_then(serde_json::Value::as_str).unwrap_or("en_US");
    Ok(document(ask, form, id, language))
}

fn document(ask: &Ask<'_>, form: Form, id: u64, language: &str) -> String {
    let node = match leaf(form, id) {
        Ok(node) => node,
        Err(refused) => return refused,
    };
    let language = spoken(language);
    let mut xml = Xml::start();
    for field in BEFORE {
        xml.field(field, language);
    }
    xml.open_members(
        "icbuCatProp",
        if language == Language::Chinese { "类目属性" } else { "Attributes" },
        "complex",
    );
    for attribute in attributes::of_category(node).filter(|attribute| attribute.id != COLOR) {
        xml.attribute(attribute, language);
    }
    xml.close_members();
    sale_fields(&mut xml, node, language);
    for field in AFTER {
        xml.field(field, language);
    }
    success(ask, form, &xml.finish())
}

/// `saleProp` holds the values that are on sale, `sku` a row for each.
fn sale_fields(xml: &mut Xml, node: usize, language: Language) {
    let chinese = language == Language::Chinese;
    let Some(color) = attributes::of_category(node).find(|attribute| attribute.id == COLOR) else { return };
    xml.open_members("saleProp", if chinese { "销售属性" } else { "Sale attributes" }, "complex");
    xml.attribute(color, language);
    xml.close_members();
    xml.open_members("sku", "SKU", "multiComplex");
    xml.open_members("props", if chinese { "规格" } else { "Attributes of the SKU" }, "complex");
    xml.attribute(&Attribute { kind: Kind::Single, ..*color }, language);
    xml.close_members();
    xml.sku_member("price", if chinese { "价格" } else { "Price" }, "decimal", true);
    xml.sku_member("inventory", if chinese { "库存" } else { "Stock" }, "integer", false);
    xml.sku_member("skuCode", if chinese { "商家编码" } else { "SKU code" }, "text", false);
    xml.close_members();
}

/// `/icbu/product/schema/level/get`: the fields that follow the values chosen in `xml`.
///
/// Only the deepest choice of each cascade counts: what is above it was answered before. Nothing
/// chosen gives the tops of the cascades, a choice with nothing below it an empty document. All
/// of this is a guess: the vendor only says "next level".
pub(super) fn level(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let answer = next_level(ask, form)?;
    // On TOP this one, unlike `schema.get`, has a `result` around it (documented).
    Ok(if form == Form::Gop { answer } else { format!("{{\"result\":{answer}}}") })
}

fn next_level(ask: &Ask<'_>, form: Form) -> Result<String, Answer> {
    let id = ask.read.required("cat_id")?.parse().map_err(|_| ask.read.invalid("cat_id"))?;
    let submitted = ask.read.required("xml")?;
    let language = spoken(ask.read.required("language")?);
    let node = match leaf(form, id) {
        Ok(node) => node,
        Err(refused) => return Ok(refused),
    };
    let chosen = match chosen(submitted) {
        Ok(chosen) => chosen,
        Err(reason) => {
            // Invented; live reports only show `isp.error-happened` for anything.
            return Ok(failure(form, "CHK_XML_INVALID", &format!("The xml cannot be read: {reason}")));
        }
    };
    let steps: Vec<&Attribute> = chosen
        .iter()
        .filter_map(|(attribute, value)| attributes::next_step(*attribute, *value))
        .filter(|next| !chosen.iter().any(|(attribute, _)| *attribute == next.id))
        .collect();
    let mut xml = Xml::start();
    if chosen.iter().any(|(attribute, _)| attributes::is_cascade(*attribute)) {
        for attribute in steps {
            xml.attribute(attribute, language);
        }
    } else {
        for attribute in attributes::of_category(node).filter(|attribute| attribute.kind == Kind::Cascade) {
            xml.attribute(attribute, language);
        }
    }
    Ok(success(ask, form, &xml.finish()))
}

/// Reads `p-<id>` fields with whole numbers as values, at any depth. Everything else is passed
/// over: a caller may send the whole document.
fn chosen(xml: &str) -> Result<Vec<(u32, u32)>, String> {
    if xml.len() > LARGEST {
        return Err(format!("it has {} bytes; {LARGEST} are the limit", xml.len()));
    }
    let mut reader = Reader::from_str(xml);
    let mut open: Vec<Option<u32>> = Vec::new();
    let mut found = Vec::new();
    let mut value: Option<String> = None;
    let mut elements = 0_usize;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(element) => {
                elements += 1;
                if open.len() == DEEPEST {
                    return Err(format!("it is deeper than {DEEPEST} levels"));
                }
                if element.name().as_ref() == "value" {
                    value = Some(String::new());
                }
                open.push(attribute_of(&element).or_else(|| {
                    let inner = !matches!(element.name().as_ref(), "field");
                    open.last().copied().flatten().filter(|_| inner)
                }));
            }
            Event::Empty(_) => elements += 1,
            Event::Text(text) => {
                if let Some(value) = &mut value {
                    value.push_str(&text);
                }
            }
            Event::CData(text) => {
                if let Some(value) = &mut value {
                    value.push_str(&text);
                }
            }
            Event::End(element) => {
                let attribute = open.pop().flatten();
                if element.name().as_ref() == "value"
                    && let (Some(attribute), Some(text)) = (attribute, value.take())
                    && let Ok(number) = text.trim().parse()
                {
                    found.push((attribute, number));
                }
            }
            Event::Eof if !open.is_empty() => return Err("it ends inside an element".to_owned()),
            Event::Eof if elements == 0 => return Err("it holds no element".to_owned()),
            Event::Eof => return Ok(found),
            _ => {}
        }
    }
}

fn attribute_of(element: &BytesStart<'_>) -> Option<u32> {
    if element.name().as_ref() != "field" {
        return None;
    }
    let id = element.try_get_attribute("id").ok()??;
    id.value.strip_prefix("p-")?.parse().ok()
}

/// Returns the node of a leaf category, or the business failure. The codes are documented for
/// `schema/add`; that reading a schema answers with the same is a guess.
fn leaf(form: Form, id: u64) -> Result<usize, String> {
    let node = Family::Icbu.node(id).ok_or_else(|| {
        failure(form, "PUB_BIZCHECK_CAT_DATA_NOTEXIST", &format!("The category {id} does not exist."))
    })?;
    if Family::Icbu.is_leaf(node) {
        return Ok(node);
    }
    Err(failure(form, "CHK_CAT_NOT_LEAF", &format!("The category {id} is not a leaf.")))
}

fn success(ask: &Ask<'_>, form: Form, xml: &str) -> String {
    let mut out = Json::with_room(xml.len() + xml.len() / 8);
    if form == Form::Gop {
        out.object().key("result").object().put("success", true);
        out.with("message_info", "").with("msg_code", "");
        trace(ask, &mut out);
        out.with("data", xml).end().end();
    } else {
        out.object().put("biz_success", true).with("message", "").with("msg_code", "");
        trace(ask, &mut out);
        out.with("data", xml).end();
    }
    out.finish()
}

/// `zh*` answers in Chinese, `es*` in Spanish where there are words, everything else in English.
fn spoken(language: &str) -> Language {
    match language.get(..2) {
        Some("zh") => Language::Chinese,
        Some("es") => Language::Spanish,
        _ => Language::English,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_choices_wherever_they_are() {
        let nested = r#"<itemSchema><field id="icbuCatProp" name="a" type="complex"><complex-value>
            <field id="p-1" type="singleCheck"><value>100000001</value></field>
            <field id="p-351"><value><![CDATA[35101]]></value></field>
            <field id="p-2"><value>a &amp; b</value></field>
            <field id="p-10"><values><value>101</value><value>102</value></values></field>
            </complex-value></field><field id="x"><value>7</value></field></itemSchema>"#;
        let expected = vec![(1, 100_000_001), (351, 35_101), (10, 101), (10, 102)];
        assert_eq!(chosen(nested), Ok(expected));
        assert_eq!(chosen("<itemSchema/>"), Ok(vec![]));
    }

    #[test]
    fn says_why_a_document_cannot_be_read() {
        for (xml, says) in [
            ("plain words", "no element"),
            ("<itemSchema>", "ends inside"),
            ("<a></b>", ""),
            ("<a b=\"", ""),
            (&"<field>".repeat(100), "deeper"),
            (&"x".repeat(LARGEST + 1), "limit"),
        ] {
            let error = chosen(xml).unwrap_err();
            assert!(error.contains(says), "{xml:.20}: {error}");
        }
    }
}
