//! From values to the document that a platform takes.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesEnd, BytesStart, BytesText, Event},
};

use crate::{
    Dialect, Form,
    check::to_send,
    form::{Fields, Kind},
    value::{Text, Value, Values},
};

/// Writes a submission: the given values and the form's defaults, without labels, fields that are switched off,
/// and values for which the form has no field. Values are not judged: see [`check`](crate::check()).
///
/// ```
/// use sesame_schema::{Dialect, read, values_from_json, write};
/// let form = read(
///     r#"<itemSchema><field id="box" type="complex"><fields><field id="size" type="input"/></fields></field>
///        </itemSchema>"#,
/// )?;
/// let values = values_from_json(r#"{"box": {"size": "A & B"}}"#)?;
/// assert_eq!(
///     write(&form, &values, Dialect::ITEM_SCHEMA),
///     "<itemSchema><field id=\"box\" type=\"complex\"><complex-value><field id=\"size\" type=\"input\">\
///      <value>A &amp; B</value></field></complex-value></field></itemSchema>"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write(form: &Form, values: &Values, dialect: Dialect) -> String {
    let mut writer = Writer::new(Vec::new());
    let sent = to_send(form, values);
    let written = element(&mut writer, BytesStart::new(dialect.root), |writer| {
        fields(writer, &form.fields, &sent, dialect)
    });
    // A vector takes all that it is given.
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8(writer.into_inner()).unwrap_or_default()
}

type Out = Writer<Vec<u8>>;

fn element(
    out: &mut Out,
    start: BytesStart<'_>,
    inside: impl FnOnce(&mut Out) -> io::Result<()>,
) -> io::Result<()> {
    let end = start.name().as_ref().to_owned();
    out.write_event(Event::Start(start))?;
    inside(out)?;
    out.write_event(Event::End(BytesEnd::new(end)))
}

fn fields(out: &mut Out, known: &Fields, values: &Values, dialect: Dialect) -> io::Result<()> {
    for (id, value) in values {
        let Some(field) = known.get(id) else { continue };
        let mut start = BytesStart::new("field");
        start.push_attribute(("id", field.id.as_str()));
        if let Some(name) = &field.name {
            start.push_attribute(("name", name.as_str()));
        }
        start.push_attribute(("type", field.kind.name()));
        element(out, start, |out| match (field.kind, value) {
            (Kind::MultiComplex, Value::List(rows)) => rows.iter().try_for_each(|row| match row {
                Value::Object(row) => group(out, "complex-values", &field.fields, row, dialect),
                _ => Ok(()),
            }),
            (Kind::Complex, Value::Object(inner)) => group(out, dialect.group, &field.fields, inner, dialect),
            (kind, Value::Text(text)) if !kind.is_list() => self::text(out, text),
            (kind, value) if kind.is_list() => element(out, BytesStart::new("values"), |out| {
                let mut written = Ok(());
                value.each_text(&mut |text| {
                    if written.is_ok() {
                        written = self::text(out, text);
                    }
                });
                written
            }),
            // The check has said that it does not fit.
            _ => Ok(()),
        })?;
    }
    Ok(())
}

fn group(out: &mut Out, name: &str, known: &Fields, values: &Values, dialect: Dialect) -> io::Result<()> {
    element(out, BytesStart::new(name), |out| fields(out, known, values, dialect))
}

fn text(out: &mut Out, text: &Text) -> io::Result<()> {
    let mut start = BytesStart::new("value");
    for (name, value) in &text.attributes {
        start.push_attribute((name.as_str(), value.as_str()));
    }
    if text.text.is_empty() {
        return out.write_event(Event::Empty(start));
    }
    element(out, start, |out| out.write_event(Event::Text(BytesText::new(&text.text))))
}
