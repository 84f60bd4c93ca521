//! Reads an expression, and makes it safe to evaluate. Pure.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::common::ast::{CallExpr, EntryExpr, Expr, operators};
use cel::{IdedExpr, Program};

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
pub(in crate::builtin) struct Expression {
    pub(super) tree: IdedExpr,
    variables: BTreeSet<String>,
}

/// Why a text is not an expression; lower-case, with the place where it is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(in crate::builtin) struct ExpressionError {
    message: String,
    /// The name that is not known, where that is it.
    pub(in crate::builtin) unknown_function: Option<String>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(in crate::builtin) fn parse(text: &str) -> Result<Self, ExpressionError> {
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
    pub(in crate::builtin) fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }
}

/// The names of functions, for suggestions.
pub(in crate::builtin) fn function_names() -> Vec<String> {
    FUNCTIONS.map(str::to_owned).to_vec()
}

fn parse_message(text: &str, errors: &cel::ParseErrors) -> String {
    let Some(first) = errors.errors.first() else {
        return "not an expression".to_owned();
    };
    let what = plain_message(first.msg.trim_start_matches("Syntax error: "));
    let (line, column) = first.pos;
    let indent = (text.len() - text.trim_start().len()) as isize;
    match (line, text.trim().contains('\n')) {
        (..=0, _) => what,
        (1, false) => format!("{what}, at character {}", column + indent),
        _ => format!("{what}, at line {line}, character {column}"),
    }
}

/// The parser's message without its names for tokens.
fn plain_message(message: &str) -> String {
    let message = message.split(" expecting ").next().unwrap_or(message);
    let unexpected = [
        "mismatched input ",
        "extraneous input ",
        "no viable alternative at input ",
        "token recognition error at: ",
    ];
    let input = unexpected.iter().find_map(|start| message.strip_prefix(start));
    match input.map(|input| input.trim_matches('\'')) {
        Some("<EOF>") => "the expression ends too early".to_owned(),
        Some(input) => format!("unexpected `{}`", input.trim()),
        None => lower_first(message),
    }
}

pub(super) fn lower_first(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_free_names_are_fields() {
        let expression = Expression::parse("a.b + [1].map(x, x + c)[0]").unwrap();
        assert_eq!(expression.variables().collect::<Vec<_>>(), ["a", "c"]);
    }

    #[test]
    fn errors_name_the_place() {
        let error = |text: &str| Expression::parse(text).unwrap_err().to_string();
        assert_eq!(error("price * "), "the expression ends too early, at character 8");
        assert_eq!(error(" a ==\n = 2"), "unexpected `=`, at line 2, character 2");
        assert_eq!(error("  a b"), "unexpected `b`, at character 5");
        assert_eq!(error("sice(a)"), "there is no function `sice`");
        assert_eq!(error("T{a: 1}"), "message types are not supported");
        for text in
            ["", "(", "'", "\"a", "a.", "1 +", "[", "{", "@", "a ? b", "9999999999999999999"]
        {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
