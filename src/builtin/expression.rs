//! CEL expressions over the fields of a tuple.
//!
//! Only the fields that an expression names are looked at. Unlike plain CEL, arithmetic on an
//! integer and a float gives a float: JSON writes 2.0 as 2. An expression reads; it changes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::ast::{CallExpr, EntryExpr, Expr, operators};
use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{ExecutionError, IdedExpr, Program};

use crate::component::{Context, FieldSlots};
use crate::tuple::{RawJson, Tuple, Value};

/// What expressions may call, beside operators and macros.
const FUNCTIONS: [&str; 15] = [
    "bytes",
    "contains",
    "double",
    "endsWith",
    "int",
    "lowerAscii",
    "max",
    "min",
    "replace",
    "size",
    "startsWith",
    "string",
    "trim",
    "uint",
    "upperAscii",
];

const OPERATORS: [&str; 18] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
    operators::IN,
];

/// An expression that was read.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    tree: IdedExpr,
    variables: BTreeSet<String>,
}

/// Why a text is not an expression; lower-case, with the place where it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct ExpressionError {
    message: String,
    /// The name that is not known, where that is it.
    pub(super) unknown_function: Option<String>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(super) fn parse(text: &str) -> Result<Self, ExpressionError> {
        let plain = |message: String| ExpressionError { message, unknown_function: None };
        // The parser is a foreign one; a text that it stumbles over is an error like any other.
        let parsed = catch_unwind(AssertUnwindSafe(|| Program::compile(text)))
            .map_err(|_| plain("not an expression".to_owned()))?;
        let program = parsed.map_err(|errors| plain(parse_message(text, &errors)))?;
        let mut tree = program.expression().clone();
        let mut walk = Walk::default();
        walk.visit(&mut tree);
        if let Some(name) = walk.unknown_functions.into_iter().next() {
            return Err(ExpressionError {
                message: format!("there is no function `{name}`"),
                unknown_function: Some(name),
            });
        }
        if walk.has_struct {
            return Err(plain("message types are not supported".to_owned()));
        }
        Ok(Self { tree, variables: walk.variables })
    }

    /// The fields that it names.
    pub(super) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }
}

/// The names of functions, for suggestions.
pub(super) fn function_names() -> Vec<String> {
    FUNCTIONS.map(str::to_owned).to_vec()
}

fn parse_message(text: &str, errors: &cel::ParseErrors) -> String {
    let Some(first) = errors.errors.first() else {
        return "not an expression".to_owned();
    };
    let what = lower_first(first.msg.trim_start_matches("Syntax error: "));
    let (line, column) = first.pos;
    let indent = text.len() - text.trim_start().len();
    match (line, text.trim().contains('\n')) {
        (..=0, _) => what,
        (1, false) => format!("{what}, at character {}", column + 1 + indent as isize),
        _ => format!("{what}, at line {line}, character {}", column + 1),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Finds free variables and unknown functions, and puts checked functions in the place of
/// operators that would be too strict or could panic.
#[derive(Default)]
struct Walk {
    bound: Vec<String>,
    variables: BTreeSet<String>,
    unknown_functions: BTreeSet<String>,
    has_struct: bool,
}

impl Walk {
    fn visit(&mut self, node: &mut IdedExpr) {
        match &mut node.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if !self.bound.contains(name) {
                    self.variables.insert(name.clone());
                }
            }
            Expr::Call(call) => self.visit_call(call),
            Expr::Comprehension(comprehension) => {
                self.visit(&mut comprehension.iter_range);
                self.visit(&mut comprehension.accu_init);
                let range = std::mem::take(&mut comprehension.iter_range);
                comprehension.iter_range = call_of("@items", range);
                let depth = self.bound.len();
                self.bound.push(comprehension.iter_var.clone());
                self.bound.extend(comprehension.iter_var2.clone());
                self.bound.push(comprehension.accu_var.clone());
                self.visit(&mut comprehension.loop_cond);
                self.visit(&mut comprehension.loop_step);
                self.visit(&mut comprehension.result);
                self.bound.truncate(depth);
            }
            Expr::List(list) => list.elements.iter_mut().for_each(|item| self.visit(item)),
            Expr::Map(map) => {
                for entry in &mut map.entries {
                    match &mut entry.expr {
                        EntryExpr::StructField(_) => self.has_struct = true,
                        EntryExpr::MapEntry(entry) => {
                            self.visit(&mut entry.key);
                            self.visit(&mut entry.value);
                        }
                    }
                }
            }
            Expr::Select(select) => self.visit(&mut select.operand),
            Expr::Struct(_) => self.has_struct = true,
        }
    }

    fn visit_call(&mut self, call: &mut CallExpr) {
        let name = call.func_name.as_str();
        if !FUNCTIONS.contains(&name) && !OPERATORS.contains(&name) && name != operators::NEGATE {
            self.unknown_functions.insert(name.to_owned());
        }
        let checked = match (name, call.args.len()) {
            (operators::ADD, 2) => Some("@add"),
            (operators::SUBSTRACT, 2) => Some("@subtract"),
            (operators::MULTIPLY, 2) => Some("@multiply"),
            (operators::DIVIDE, 2) => Some("@divide"),
            (operators::MODULO, 2) => Some("@modulo"),
            (operators::NEGATE, 1) => Some("@negate"),
            _ => None,
        };
        if let Some(checked) = checked {
            checked.clone_into(&mut call.func_name);
        }
        if let Some(target) = &mut call.target {
            self.visit(target);
        }
        call.args.iter_mut().for_each(|argument| self.visit(argument));
    }
}

fn call_of(name: &str, argument: IdedExpr) -> IdedExpr {
    IdedExpr {
        id: argument.id,
        expr: Expr::Call(CallExpr {
            func_name: name.to_owned(),
            target: None,
            args: vec![argument],
        }),
    }
}

type Answer = Result<cel::Value, ExecutionError>;

/// Evaluates expressions on tuples of a bolt's inputs.
pub(super) struct Evaluator {
    context: cel::Context<'static>,
    fields: Vec<(String, FieldSlots)>,
}

impl Evaluator {
    /// An evaluator for these expressions.
    pub(super) fn new<'a>(
        expressions: impl IntoIterator<Item = &'a Expression>,
        context: &Context,
    ) -> Self {
        let names: BTreeSet<_> = expressions.into_iter().flat_map(Expression::variables).collect();
        let slot = |name: &str| (name.to_owned(), FieldSlots::new(context, name));
        Self { context: root_context(), fields: names.into_iter().map(slot).collect() }
    }

    /// Takes the fields that the expressions name from a tuple.
    pub(super) fn bind(&mut self, tuple: &Tuple) {
        for (name, slots) in &self.fields {
            let value = slots.of(tuple).map_or(cel::Value::Null, to_cel);
            match &mut self.context {
                cel::Context::Root { variables, .. } | cel::Context::Child { variables, .. } => {
                    if let Some(place) = variables.get_mut(name) {
                        *place = value;
                    } else {
                        variables.insert(name.clone(), value);
                    }
                }
            }
        }
    }

    /// The value of an expression on the bound tuple.
    ///
    /// # Errors
    /// Why it has none, lower-case.
    pub(super) fn value(&self, expression: &Expression) -> Result<Value, String> {
        from_cel(&self.answer(expression)?)
    }

    /// Whether a condition holds on the bound tuple.
    ///
    /// # Errors
    /// Why it is neither true nor false, lower-case.
    pub(super) fn holds(&self, expression: &Expression) -> Result<bool, String> {
        match self.answer(expression)? {
            cel::Value::Bool(holds) => Ok(holds),
            other => Err(format!("expected true or false, found {}", other.type_of())),
        }
    }

    fn answer(&self, expression: &Expression) -> Result<cel::Value, String> {
        self.context.resolve(&expression.tree).map_err(|error| {
            let mut message = lower_first(&error.to_string());
            if let Some((end, _)) = message.char_indices().nth(200) {
                message.truncate(end);
                message.push('…');
            }
            message
        })
    }
}

fn root_context() -> cel::Context<'static> {
    let mut context = cel::Context::default();
    let number = |operate: fn(cel::Value, cel::Value) -> Answer| {
        move |left: cel::Value, right: cel::Value| -> Answer {
            let (left, right) = same_kind(left, right);
            operate(left, right)
        }
    };
    context.add_function("@add", number(|left, right| left + right));
    context.add_function("@subtract", number(|left, right| left - right));
    context.add_function("@multiply", number(|left, right| left * right));
    context.add_function("@divide", number(|left, right| left / right));
    context.add_function("@modulo", number(|left, right| left % right));
    context.add_function("@negate", negate);
    context.add_function("@items", items);
    context.add_function("lowerAscii", |This(text): This<Arc<String>>| text.to_ascii_lowercase());
    context.add_function("upperAscii", |This(text): This<Arc<String>>| text.to_ascii_uppercase());
    context.add_function("trim", |This(text): This<Arc<String>>| text.trim().to_owned());
    context.add_function(
        "replace",
        |This(text): This<Arc<String>>, old: Arc<String>, new: Arc<String>| {
            text.replace(old.as_str(), &new)
        },
    );
    context
}

/// Two numbers of different kinds as numbers of one kind.
fn same_kind(left: cel::Value, right: cel::Value) -> (cel::Value, cel::Value) {
    use cel::Value::{Float, Int, UInt};
    match (left, right) {
        (Float(left), Int(right)) => (Float(left), Float(right as f64)),
        (Int(left), Float(right)) => (Float(left as f64), Float(right)),
        (Float(left), UInt(right)) => (Float(left), Float(right as f64)),
        (UInt(left), Float(right)) => (Float(left as f64), Float(right)),
        other => other,
    }
}

fn negate(value: cel::Value) -> Answer {
    match value {
        cel::Value::Int(number) => number
            .checked_neg()
            .map(cel::Value::Int)
            .ok_or(ExecutionError::Overflow("minus", number.into(), 0.into())),
        cel::Value::Float(number) => Ok(cel::Value::Float(-number)),
        other => Err(ExecutionError::UnsupportedUnaryOperator("minus", other)),
    }
}

fn items(value: cel::Value) -> Answer {
    match value {
        cel::Value::List(_) | cel::Value::Map(_) => Ok(value),
        other => Err(other.error_expected_type(cel::objects::ValueType::List)),
    }
}

fn to_cel(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(flag) => cel::Value::Bool(*flag),
        Value::Int(number) => cel::Value::Int(*number),
        Value::Float(number) => cel::Value::Float(*number),
        Value::Str(text) => cel::Value::String(Arc::new(text.to_string())),
        Value::Json(_) => match value.parsed().as_ref() {
            // Deeper than the parser goes: the text itself.
            Value::Json(raw) => cel::Value::String(Arc::new(raw.as_str().to_owned())),
            parsed => to_cel(parsed),
        },
        Value::List(items) => cel::Value::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Map(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (Key::String(Arc::new(key.to_string())), to_cel(value)));
            cel::Value::Map(Map { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
        }
    }
}

fn from_cel(value: &cel::Value) -> Result<Value, String> {
    Ok(match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(flag) => Value::Bool(*flag),
        cel::Value::Int(number) => Value::Int(*number),
        cel::Value::UInt(number) => i64::try_from(*number)
            .map_or_else(|_| Value::Json(RawJson::from_scanned(&number.to_string())), Value::Int),
        cel::Value::Float(number) => Value::Float(*number),
        cel::Value::String(text) => Value::from(text.as_str()),
        cel::Value::List(items) => {
            Value::List(items.iter().map(from_cel).collect::<Result<_, _>>()?)
        }
        cel::Value::Map(map) => {
            // Sorted, so that one result always has one form.
            let sorted: BTreeMap<_, _> =
                map.map.iter().map(|(key, value)| (key.to_string(), value)).collect();
            let entries = sorted.into_iter();
            let entries = entries.map(|(key, value)| Ok((key.into(), from_cel(value)?)));
            Value::Map(entries.collect::<Result<_, String>>()?)
        }
        other => return Err(format!("a {} cannot be emitted", other.type_of())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::testing::{bolt_context, tuple};

    fn eval(text: &str, fields: &[(&str, &str)]) -> Result<String, String> {
        let names: Vec<_> = fields.iter().map(|(name, _)| *name).collect();
        let context = bolt_context(&[("in", &names)]);
        let expression = Expression::parse(text).map_err(|error| error.to_string())?;
        let mut evaluator = Evaluator::new([&expression], &context);
        evaluator.bind(&tuple(fields.iter().map(|(_, json)| Value::from_scanned_json(json))));
        evaluator.value(&expression).map(|value| value.to_json())
    }

    #[test]
    fn numbers_mix_and_json_is_looked_into() {
        let fields = [("price", "2.5"), ("amount", "4"), ("o", "{\"l\":[1,2],\"s\":\"a\\u0062\"}")];
        assert_eq!(eval("price * amount", &fields), Ok("10.0".to_owned()));
        assert_eq!(eval("amount / 3", &fields), Ok("1".to_owned()));
        assert_eq!(eval("o.l[1] + amount", &fields), Ok("6".to_owned()));
        assert_eq!(eval("o.s == 'ab' && has(o.l)", &fields), Ok("true".to_owned()));
        assert_eq!(eval("o.l.map(x, x * 2)", &fields), Ok("[2,4]".to_owned()));
        assert_eq!(eval("o.l.exists(x, x > amount)", &fields), Ok("false".to_owned()));
        assert_eq!(eval("{'b': 1, 'a': -amount}", &fields), Ok("{\"a\":-4,\"b\":1}".to_owned()));
        assert_eq!(eval("o.s.upperAscii().replace('B', 'x')", &fields), Ok("\"Ax\"".to_owned()));
        assert_eq!(eval("price > 2 ? 'dear' : 'cheap'", &fields), Ok("\"dear\"".to_owned()));
    }

    #[test]
    fn what_fails_at_run_time_is_an_error_never_a_panic() {
        let fields = [("s", "\"x\""), ("n", "-9223372036854775808")];
        for text in
            ["s + 1", "-n", "s.all(x, x)", "n / 0", "s.a", "1 % 0", "s[0]", "size(n)", "b'x'"]
        {
            let error = eval(text, &fields).unwrap_err();
            assert!(!error.starts_with(char::is_uppercase), "{text}: {error}");
        }
    }

    #[test]
    fn only_free_names_are_fields() {
        let expression = Expression::parse("a.b + [1].map(x, x + c)[0]").unwrap();
        assert_eq!(expression.variables().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn errors_name_the_place() {
        let error = |text: &str| Expression::parse(text).unwrap_err().to_string();
        assert!(error("price * ").contains("at character"), "{}", error("price * "));
        assert!(error("a ==\n = 2").contains("at line 2"), "{}", error("a ==\n = 2"));
        assert_eq!(error("sice(a)"), "there is no function `sice`");
        assert_eq!(error("T{a: 1}"), "message types are not supported");
        for text in
            ["", "(", "'", "\"a", "a.", "1 +", "[", "{", "@", "a ? b", "9999999999999999999"]
        {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
