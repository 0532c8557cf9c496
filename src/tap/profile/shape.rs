//! The form of a JSON value without what it says: `[string, int×2, {a: bool}]`.

use serde_json::Value;

/// Levels that are looked into.
const DEPTH_MAX: usize = 4;

/// Elements of a list, or members of an object, that are looked at.
const WIDTH_MAX: usize = 16;

/// The shape of a JSON text.
pub(super) fn shape(json: &str) -> String {
    match serde_json::from_str(json) {
        Ok(value) => of(&value, 0),
        Err(_) => "unreadable".into(),
    }
}

fn of(value: &Value, depth: usize) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) => (if number.is_f64() { "float" } else { "int" }).into(),
        Value::String(_) => "string".into(),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => "…".into(),
        Value::Array(items) => {
            let mut runs: Vec<(String, usize)> = Vec::new();
            for item in items.iter().take(WIDTH_MAX) {
                let shape = of(item, depth + 1);
                match runs.last_mut() {
                    Some((last, count)) if *last == shape => *count += 1,
                    _ => runs.push((shape, 1)),
                }
            }
            let run = |(shape, count): &(String, usize)| match count {
                1 => shape.clone(),
                _ => format!("{shape}×{count}"),
            };
            let mut runs: Vec<String> = runs.iter().map(run).collect();
            if items.len() > WIDTH_MAX {
                runs.push("…".into());
            }
            format!("[{}]", runs.join(", "))
        }
        Value::Object(members) => {
            let member = |(name, value)| format!("{name}: {}", of(value, depth + 1));
            let mut list: Vec<String> = members.iter().take(WIDTH_MAX).map(member).collect();
            if members.len() > WIDTH_MAX {
                list.push("…".into());
            }
            format!("{{{}}}", list.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_say_form_not_content() {
        fn check(json: &str, expected: &str) {
            assert_eq!(shape(json), expected);
        }
        check(r#"["w", "x", 1, 2, 1.5, null, true]"#, "[string×2, int×2, float, null, bool]");
        check(r#"[["a"], {"b": [], "a": {}}]"#, "[[string], {a: {}, b: []}]");
        check("[[[[[1]]]]]", "[[[[…]]]]");
        check(&format!("[{}1]", "1,".repeat(99)), "[int×16, …]");
        check("", "unreadable");
        check(&"[".repeat(10_000), "unreadable");
    }
}
