#include "rules/language/parser.h"

#include <algorithm>
#include <array>

#include "rules/language/lexer.h"
#include "rules/language/vocabulary.h"

namespace tillwatch::rules {
namespace {

// What people write out of habit from other languages.
struct Habit {
  std::string_view text, ours;
};
constexpr std::array kHabits =
    std::to_array<Habit>({{"&&", "and"}, {"||", "or"}, {"=", "=="}, {"=>", ">="}, {"=<", "<="}, {"!", "not"}});

class Parser {
 public:
  Parser(const PlacedText& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics), tokens_(tokenize(source, diagnostics)), failed_(tokens_.empty()) {}

  ParseNodePtr whole() {
    if (failed_) return nullptr;
    if (peek().kind == Token::Kind::end) return fail("E011", "an expression is missing here", peek());
    ParseNodePtr node = expression();
    if (!failed_ && peek().kind != Token::Kind::end) return unexpected();
    return failed_ ? nullptr : std::move(node);
  }

  ParsedFact fact() {
    ParsedFact result;
    if (failed_) return result;
    ParseNodePtr node = expression();
    if (!failed_ && peek().is("else")) otherwise(result);
    if (!failed_ && peek().kind != Token::Kind::end) unexpected();
    if (!failed_) result.value = std::move(node);
    return result;
  }

  std::optional<DurationMs> constant_duration() {
    if (failed_) return std::nullopt;
    const bool negative = eat("-");
    const Token token = take();
    if (token.kind != Token::Kind::duration || peek().kind != Token::Kind::end) {
      fail("E016", "a duration is needed here", token.kind == Token::Kind::duration ? peek() : token, "",
           "for example `90s`, `10m`, `24h` or `30d`");
      return std::nullopt;
    }
    return negative ? -token.value : token.value;
  }

 private:
  // A node that begins at `begin` and ends with the last token taken.
  ParseNodePtr make(ParseNode::Kind kind, size_t begin) const {
    auto node = std::make_unique<ParseNode>();
    node->kind = kind;
    node->span = source_.span(begin, last_end_);
    node->source = std::string(source_.text().substr(begin, last_end_ - begin));
    return node;
  }
  Span span(const Token& token) const { return source_.span(token.begin, std::max(token.end, token.begin + 1)); }

  const Token& peek(size_t ahead = 0) const { return tokens_[std::min(next_ + ahead, tokens_.size() - 1)]; }
  Token take() {
    const Token token = peek();
    if (next_ + 1 < tokens_.size()) ++next_;
    last_end_ = token.end;
    return token;
  }
  bool eat(std::string_view wanted) {
    if (!peek().is(wanted)) return false;
    take();
    return true;
  }
  bool need(std::string_view wanted) {
    if (failed_) return false;
    if (eat(wanted)) return true;
    unexpected("expected `" + std::string(wanted) + "`");
    return false;
  }

  std::nullptr_t fail(std::string code, std::string message, const Token& at, std::string label = "", std::string help = "",
                      std::string note = "") {
    if (failed_) return nullptr;
    failed_ = true;
    Diagnostic& error = diagnostics_.error(std::move(code), std::move(message), span(at), std::move(label));
    if (!help.empty()) error.helps.push_back(std::move(help));
    if (!note.empty()) error.notes.push_back(std::move(note));
    return nullptr;
  }
  std::nullptr_t unexpected(const std::string& wanted = "");
  bool too_deep() {
    if (depth_ <= ParserLimits::kDepth) return false;
    fail("E019", "this expression is nested more than " + std::to_string(ParserLimits::kDepth) + " levels deep", peek(), "",
         "give parts of it names in `let`");
    return true;
  }

  void otherwise(ParsedFact& result);
  ParseNodePtr expression();
  ParseNodePtr conjunction();
  ParseNodePtr negation();
  ParseNodePtr comparison();
  ParseNodePtr coalesce();
  ParseNodePtr sum();
  ParseNodePtr product();
  ParseNodePtr unary();
  ParseNodePtr postfix();
  ParseNodePtr primary();
  ParseNodePtr literal(const Token& token);
  ParseNodePtr named(const Token& token);
  ParseNodePtr aggregate(const Token& token, Aggregation function);
  ParseNodePtr usual(const Token& name);
  bool window(ParseNode& node, const Token& name);
  ParseNodePtr member(ParseNodePtr base, size_t begin);
  ParseNodePtr index(ParseNodePtr base, size_t begin);
  bool arguments(std::string_view close, std::vector<ParseNodePtr>& into);
  ParseNodePtr binary(ParseNode::Kind kind, Op op, const Token& sign, size_t begin, ParseNodePtr left, ParseNodePtr right);
  bool finds(std::initializer_list<std::string_view> words) const;

  const PlacedText& source_;
  Diagnostics& diagnostics_;
  std::vector<Token> tokens_;
  bool failed_ = false;
  size_t next_ = 0;
  size_t last_end_ = 0;
  int depth_ = 0;
};

std::nullptr_t Parser::unexpected(const std::string& wanted) {
  const Token& token = peek();
  const std::string text(token.text);
  for (const Habit& habit : kHabits) {
    if (text == habit.text) {
      return fail("E013", "`" + text + "` is not an operator of the language", token,
                  "write `" + std::string(habit.ours) + "`");
    }
  }
  if (text == "?") { return fail("E013", "`? :` is not part of the language", token, "write `if(condition, a, b)`"); }
  const std::string found = token.kind == Token::Kind::end ? "the end of the expression" : "`" + text + "`";
  if (!wanted.empty()) return fail("E011", wanted + ", found " + found, token);
  const std::string help = text == "else" ? "only a fact in `let` ends with `else skip` or `else wait D`" : "";
  return fail("E011", "did not expect " + found + " here", token, "", help);
}

void Parser::otherwise(ParsedFact& result) {
  const Token word = take();
  const Token kind = take();
  if (kind.is("skip")) {
    result.otherwise = Fact::Otherwise::skip;
  } else if (kind.is("wait")) {
    const Token duration = take();
    if (duration.kind != Token::Kind::duration) {
      fail("E016", "`else wait` needs a duration", duration, "for example `else wait 60s`");
      return;
    }
    result.otherwise = Fact::Otherwise::wait;
    result.wait = duration.value;
  } else {
    fail("E011", "behind `else` stands `skip` or `wait D`", kind, "", "for a default write `?? value`");
    return;
  }
  result.otherwise_span = source_.span(word.begin, last_end_);
}

ParseNodePtr Parser::binary(ParseNode::Kind kind, Op op, const Token& sign, size_t begin, ParseNodePtr left,
                            ParseNodePtr right) {
  if (failed_) return nullptr;
  ParseNodePtr node = make(kind, begin);
  node->op = op;
  node->word = std::string(sign.text);
  node->word_span = span(sign);
  node->args.push_back(std::move(left));
  node->args.push_back(std::move(right));
  return node;
}

ParseNodePtr Parser::expression() {
  ++depth_;
  if (too_deep()) return nullptr;
  const size_t begin = peek().begin;
  ParseNodePtr left = conjunction();
  while (!failed_ && peek().is("or")) {
    const Token sign = take();
    ParseNodePtr right = conjunction();
    if (failed_) return nullptr;
    for (const ParseNode* side : {left.get(), right.get()}) {
      if (side->op == Op::op_and && !side->parenthesised) {
        return fail("E014", "`and` and `or` are mixed without parentheses", sign, "which one first?",
                    "put parentheses around the part that belongs together: `(a and b) or c`");
      }
    }
    left = binary(ParseNode::Kind::binary, Op::op_or, sign, begin, std::move(left), std::move(right));
  }
  --depth_;
  return left;
}

ParseNodePtr Parser::conjunction() {
  const size_t begin = peek().begin;
  ParseNodePtr left = negation();
  while (!failed_ && peek().is("and")) {
    const Token sign = take();
    ParseNodePtr right = negation();
    left = binary(ParseNode::Kind::binary, Op::op_and, sign, begin, std::move(left), std::move(right));
  }
  return left;
}

ParseNodePtr Parser::negation() {
  if (failed_ || !peek().is("not")) return comparison();
  ++depth_;
  if (too_deep()) return nullptr;
  const Token sign = take();
  ParseNodePtr inner = negation();
  --depth_;
  if (failed_) return nullptr;
  ParseNodePtr node = make(ParseNode::Kind::unary, sign.begin);
  node->op = Op::op_not;
  node->word_span = span(sign);
  node->args.push_back(std::move(inner));
  return node;
}

ParseNodePtr Parser::comparison() {
  const size_t begin = peek().begin;
  ParseNodePtr left = coalesce();
  if (failed_) return nullptr;
  const auto find = [&]() -> const OperatorRow* {
    const OperatorRow* row = find_comparison(peek().text);
    return row != nullptr && peek().is(row->text) ? row : nullptr;
  };
  const bool negated = peek().is("not") && peek(1).is("in");
  if (!negated && find() == nullptr) return left;
  const OperatorRow* row = find();
  Token sign = take();
  Op op = Op::not_in;
  if (negated) {
    sign.end = take().end;
    sign.text = source_.text().substr(sign.begin, sign.end - sign.begin);
  } else {
    op = row->op;
  }
  ParseNodePtr right = coalesce();
  if (failed_) return nullptr;
  if (find() != nullptr || (peek().is("not") && peek(1).is("in"))) {
    return fail("E015", "comparisons cannot be chained", peek(), "", "write `a < b and b < c`");
  }
  return binary(ParseNode::Kind::binary, op, sign, begin, std::move(left), std::move(right));
}

ParseNodePtr Parser::coalesce() {
  ++depth_;
  if (too_deep()) return nullptr;
  const size_t begin = peek().begin;
  ParseNodePtr left = sum();
  if (!failed_ && peek().is("??")) {
    const Token sign = take();
    ParseNodePtr right = coalesce();
    left = binary(ParseNode::Kind::coalesce, Op::none, sign, begin, std::move(left), std::move(right));
  }
  --depth_;
  return left;
}

ParseNodePtr Parser::sum() {
  const size_t begin = peek().begin;
  ParseNodePtr left = product();
  while (!failed_ && (peek().is("+") || peek().is("-"))) {
    const Token sign = take();
    ParseNodePtr right = product();
    left = binary(ParseNode::Kind::binary, sign.is("+") ? Op::plus : Op::minus, sign, begin, std::move(left), std::move(right));
  }
  return left;
}

ParseNodePtr Parser::product() {
  const size_t begin = peek().begin;
  ParseNodePtr left = unary();
  while (!failed_ && (peek().is("*") || peek().is("/"))) {
    const Token sign = take();
    ParseNodePtr right = unary();
    left =
        binary(ParseNode::Kind::binary, sign.is("*") ? Op::times : Op::divide, sign, begin, std::move(left), std::move(right));
  }
  return left;
}

ParseNodePtr Parser::unary() {
  if (failed_ || !peek().is("-")) return postfix();
  ++depth_;
  if (too_deep()) return nullptr;
  const Token sign = take();
  ParseNodePtr inner = unary();
  --depth_;
  if (failed_) return nullptr;
  ParseNodePtr node = make(ParseNode::Kind::unary, sign.begin);
  node->op = Op::minus;
  node->word_span = span(sign);
  node->args.push_back(std::move(inner));
  return node;
}

ParseNodePtr Parser::postfix() {
  const size_t begin = peek().begin;
  ParseNodePtr node = primary();
  while (!failed_) {
    if (peek().is(".")) {
      node = member(std::move(node), begin);
    } else if (peek().is("[")) {
      node = index(std::move(node), begin);
    } else {
      break;
    }
  }
  return failed_ ? nullptr : std::move(node);
}

ParseNodePtr Parser::member(ParseNodePtr base, size_t begin) {
  take();
  if (peek().kind != Token::Kind::word || is_reserved(peek().text)) return unexpected("expected a field's name behind `.`");
  const Token field = take();
  ParseNodePtr node = make(ParseNode::Kind::member, begin);
  node->word = std::string(field.text);
  node->word_span = span(field);
  node->args.push_back(std::move(base));
  return node;
}

ParseNodePtr Parser::index(ParseNodePtr base, size_t begin) {
  std::vector<ParseNodePtr> args;
  args.push_back(std::move(base));
  take();
  if (!arguments("]", args)) return nullptr;
  ParseNodePtr at;
  if (eat("at")) at = sum();
  if (failed_) return nullptr;
  ParseNodePtr node = make(ParseNode::Kind::index, begin);
  node->args = std::move(args);
  node->at = std::move(at);
  return node;
}

bool Parser::arguments(std::string_view close, std::vector<ParseNodePtr>& into) {
  if (eat(close)) return true;
  do { into.push_back(expression()); } while (!failed_ && eat(","));
  return need(close);
}

ParseNodePtr Parser::primary() {
  if (failed_) return nullptr;
  const Token& token = peek();
  switch (token.kind) {
    case Token::Kind::end:
      return unexpected();
    case Token::Kind::integer:
    case Token::Kind::decimal:
    case Token::Kind::duration:
    case Token::Kind::text:
      return literal(take());
    case Token::Kind::word: {
      const bool word_of_language = is_reserved(token.text) && !token.is("true") && !token.is("false");
      const bool function = token.is("ends_with") && peek(1).is("(");
      if (word_of_language && !function) return unexpected();
      return named(take());
    }
    case Token::Kind::sign:
      break;
  }
  const size_t begin = token.begin;
  if (eat("(")) {
    ParseNodePtr node = expression();
    if (!need(")")) return nullptr;
    node->parenthesised = true;
    node->source = std::string(source_.text().substr(begin, last_end_ - begin));
    return node;
  }
  if (eat("[")) {
    std::vector<ParseNodePtr> items;
    if (!arguments("]", items)) return nullptr;
    ParseNodePtr node = make(ParseNode::Kind::list, begin);
    node->args = std::move(items);
    return node;
  }
  return unexpected();
}

ParseNodePtr Parser::literal(const Token& token) {
  ParseNodePtr node = make(token.kind == Token::Kind::text ? ParseNode::Kind::text : ParseNode::Kind::literal, token.begin);
  if (token.kind == Token::Kind::text) {
    node->word = std::string(token.content());
  } else if (token.kind == Token::Kind::integer) {
    node->literal = Kind::integer;
    node->value = Value::of_int(token.value);
  } else if (token.kind == Token::Kind::decimal) {
    node->literal = Kind::decimal;
    node->value = Value::of_decimal_billionths(token.value);
  } else {
    node->literal = Kind::duration;
    node->value = Value::of_duration(token.value);
  }
  return node;
}

ParseNodePtr Parser::named(const Token& token) {
  if (token.is("true") || token.is("false")) {
    ParseNodePtr node = make(ParseNode::Kind::literal, token.begin);
    node->literal = Kind::boolean;
    node->value = Value::of_bool(token.is("true"));
    return node;
  }
  if (!peek().is("(")) {
    ParseNodePtr node = make(ParseNode::Kind::name, token.begin);
    node->word = std::string(token.text);
    node->word_span = span(token);
    return node;
  }
  const auto& aggregates = aggregate_rows();
  const auto found =
      std::find_if(aggregates.begin(), aggregates.end(), [&](const AggregateRow& row) { return row.name == token.text; });
  if (found != aggregates.end() && (!found->also_function || finds({"of", "over", "where"}))) {
    return aggregate(token, found->function);
  }
  take();
  std::vector<ParseNodePtr> args;
  if (!arguments(")", args)) return nullptr;
  ParseNodePtr node = make(ParseNode::Kind::call, token.begin);
  node->word = std::string(token.text);
  node->word_span = span(token);
  node->args = std::move(args);
  return node;
}

// Whether one of `words` stands directly inside the parentheses that open with the next token.
bool Parser::finds(std::initializer_list<std::string_view> words) const {
  int depth = 0;
  for (size_t at = next_; at < tokens_.size(); ++at) {
    const Token& token = tokens_[at];
    if (token.is("(") || token.is("[")) ++depth;
    if (token.is(")") || token.is("]")) --depth;
    if (depth <= 0) return false;
    if (depth == 1 && std::any_of(words.begin(), words.end(), [&](std::string_view word) { return token.is(word); }))
      return true;
  }
  return false;
}

// `usual(AGGREGATE, 7d)`
ParseNodePtr Parser::usual(const Token& name) {
  take();
  const Token inner = peek();
  ParseNodePtr of = expression();
  if (of == nullptr || !need(",")) return nullptr;
  if (of->kind != ParseNode::Kind::aggregate || of->aggregation == Aggregation::usual) {
    return fail("E039", "`usual` is asked of an aggregate", inner, "for example `usual(count(this over 1h), 7d)`");
  }
  const Token days = take();
  constexpr DurationMs kDays = 60;
  if (days.kind != Token::Kind::duration || days.value % kDay != 0 || days.value < 3 * kDay || days.value > kDays * kDay) {
    return fail("E016", "`usual` needs a number of days, from 3 to 60", days, "for example `usual(count(this over 1h), 7d)`");
  }
  if (!need(")")) return nullptr;
  ParseNodePtr node = make(ParseNode::Kind::aggregate, name.begin);
  node->word = std::string(name.text);
  node->word_span = span(name);
  node->stream = of->stream;
  node->over = days.value;
  node->aggregation = Aggregation::usual;
  node->args.push_back(std::move(of));
  node->args.push_back(nullptr);
  return node;
}

ParseNodePtr Parser::aggregate(const Token& name, Aggregation function) {
  if (function == Aggregation::usual) return usual(name);
  ParseNode parts;
  parts.args.resize(2);
  const bool valued = finds({"of"});
  take();
  if (function == Aggregation::quantile) {
    const Token level = take();
    parts.level = level.value;
    if (level.kind != Token::Kind::decimal || level.value <= 0 || level.value > Value::kDecimalOne) {
      return fail("E012", "`quantile` needs a level above 0 and up to 100 %", level,
                  "for example `quantile(95%, amount of this over 7d)`");
    }
    if (!need(",")) return nullptr;
  }
  if (valued) {
    parts.args[0] = expression();
    if (!need("of")) return nullptr;
  }
  if (peek().kind != Token::Kind::word || is_reserved(peek().text)) return unexpected("expected a stream's name");
  const Token stream = take();
  if (eat("where")) parts.args[1] = expression();
  if (failed_ || !window(parts, name)) return nullptr;
  if (!need(")")) return nullptr;
  ParseNodePtr node = make(ParseNode::Kind::aggregate, name.begin);
  node->word = std::string(name.text);
  node->word_span = span(stream);
  node->stream = std::string(stream.text);
  node->args = std::move(parts.args);
  node->over = parts.over;
  node->every = parts.every;
  node->level = parts.level;
  node->aggregation = function;
  return node;
}

bool Parser::window(ParseNode& node, const Token& name) {
  if (!eat("over")) {
    if (!peek().is(")")) {
      unexpected("expected `over` and a duration");
      return false;
    }
    const std::string head(source_.text().substr(name.begin, peek().begin - name.begin));
    fail("E017", "`" + std::string(name.text) + "(…)` has no time window", name, "add `over` and a duration",
         "for example `" + head + " over 10m)`",
         "a window bounds the state kept per key; the language has no unbounded aggregate");
    return false;
  }
  const Token duration = take();
  if (duration.kind != Token::Kind::duration || duration.value <= 0) {
    fail("E016", "`over` needs a duration longer than nothing", duration, "for example `10m`, `24h` or `30d`");
    return false;
  }
  node.over = duration.value;
  if (!peek().is("every")) return true;
  take();
  const Token step = take();
  if (step.kind != Token::Kind::duration || step.value <= 0) {
    fail("E016", "`every` needs a duration longer than nothing", step, "for example `over 1h every 10m`");
    return false;
  }
  if (duration.value % step.value != 0) {
    fail("E016", "the window is not a whole number of its steps", step,
         "for example `over 1h every 10m`, or `over 1d every 1d`");
    return false;
  }
  node.every = step.value;
  return true;
}

}  // namespace

ParseNodePtr parse_expression(const PlacedText& source, Diagnostics& diagnostics) {
  return Parser(source, diagnostics).whole();
}

ParsedFact parse_fact(const PlacedText& source, Diagnostics& diagnostics) { return Parser(source, diagnostics).fact(); }

std::optional<DurationMs> parse_constant_duration(const PlacedText& source, Diagnostics& diagnostics) {
  return Parser(source, diagnostics).constant_duration();
}

}  // namespace tillwatch::rules
