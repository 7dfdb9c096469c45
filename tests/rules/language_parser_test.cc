// The grammar and the places of its parts: what is written, and what shape the parser sees in it.
#include <gtest/gtest.h>

#include "rules/language/lexer.h"
#include "rules/language/parser.h"
#include "tests/rules/language_fixture.h"

namespace tillwatch::rules {
namespace {

struct Written {
  Sources sources;
  Diagnostics diagnostics;
  YamlFile file;

  explicit Written(const std::string& yaml) : file(read_yaml(sources.add("text.yaml", yaml), sources, diagnostics)) {}
  PlacedText value(std::string_view key = "x") const { return PlacedText(*file.documents.at(0)->find(key), sources); }
};

std::string shape(const ParseNode* node);

std::string shapes(const ParseNode& node) {
  std::string text;
  for (const ParseNodePtr& argument : node.args) text += " " + shape(argument.get());
  return text;
}

std::string shape(const ParseNode* node) {
  if (node == nullptr) return "-";
  switch (node->kind) {
    case ParseNode::Kind::literal:
      return std::to_string(node->value.i);
    case ParseNode::Kind::text:
      return "\"" + node->word + "\"";
    case ParseNode::Kind::name:
      return node->word;
    case ParseNode::Kind::list:
      return "(list" + shapes(*node) + ")";
    case ParseNode::Kind::member:
      return "(." + node->word + shapes(*node) + ")";
    case ParseNode::Kind::index:
      return "([]" + shapes(*node) + (node->at == nullptr ? "" : " at " + shape(node->at.get())) + ")";
    case ParseNode::Kind::unary:
      return (node->op == Op::op_not ? "(not" : "(-") + shapes(*node) + ")";
    case ParseNode::Kind::binary:
      return "(" + node->word + shapes(*node) + ")";
    case ParseNode::Kind::coalesce:
      return "(??" + shapes(*node) + ")";
    case ParseNode::Kind::call:
      return "(" + node->word + "()" + shapes(*node) + ")";
    case ParseNode::Kind::aggregate:
      return "(" + node->word + " over " + node->stream + " " + std::to_string(node->over) + shapes(*node) + ")";
  }
  return "?";
}

struct ShapeRow {
  const char* written;
  const char* shape;  // or the code of the error
};

const ShapeRow kShapes[] = {
    {"1", "1"},
    {"12_000", "12000"},
    {"3.5", "3500000000"},
    {"2%", "20000000"},
    {"0.5bp", "50000"},
    {"35bp", "3500000"},
    {"250ms", "250"},
    {"90s", "90000"},
    {"10m", "600000"},
    {"24h", "86400000"},
    {"30d", "2592000000"},
    {"\"a b\"", "\"a b\""},
    {"true", "1"},
    {"a", "a"},
    {"a.b.c", "(.c (.b a))"},
    {"a or b or c", "(or (or a b) c)"},
    {"a and b and c", "(and (and a b) c)"},
    {"(a and b) or c", "(or (and a b) c)"},
    {"a or (b and c)", "(or a (and b c))"},
    {"a and b or c", "E014"},
    {"a or b and c", "E014"},
    {"not a and b", "(and (not a) b)"},
    {"not not a", "(not (not a))"},
    {"not a == b", "(not (== a b))"},
    {"not a in [b]", "(not (in a (list b)))"},
    {"a not in [b, \"c\"]", "(not in a (list b \"c\"))"},
    {"a == b + 1", "(== a (+ b 1))"},
    {"a < b < c", "E015"},
    {"a == b in c", "E015"},
    {"(a == b) == c", "(== (== a b) c)"},
    {"a - b - c", "(- (- a b) c)"},
    {"a - b * c", "(- a (* b c))"},
    {"a / b / c", "(/ (/ a b) c)"},
    {"-a + b", "(+ (- a) b)"},
    {"a * -b", "(* a (- b))"},
    {"--a", "(- (- a))"},
    {"a ?? b ?? c", "(?? a (?? b c))"},
    {"a ?? b + 1", "(?? a (+ b 1))"},
    {"a ?? b == c", "(== (?? a b) c)"},
    {"a matches \"x\"", "(matches a \"x\")"},
    {"a ends_with b", "(ends_with a b)"},
    {"ends_with(a, b)", "(ends_with() a b)"},
    {"t[a]", "([] t a)"},
    {"t[a, \"b\"].c", "(.c ([] t a \"b\"))"},
    {"t[a] at b + 1", "([] t a at (+ b 1))"},
    {"t[a] at b > c", "(> ([] t a at b) c)"},
    {"(t[a] at b).c", "(.c ([] t a at b))"},
    {"min(a, b)", "(min() a b)"},
    {"min(a of this over 1h)", "(min over this 3600000 a -)"},
    {"count(this over 1h)", "(count over this 3600000 - -)"},
    {"count(s where a == b over 1h)", "(count over s 3600000 - (== a b))"},
    {"sum(a + b of s where c over 1d)", "(sum over s 86400000 (+ a b) c)"},
    {"distinct(a ?? b of this over 300s)", "(distinct over this 300000 (?? a b) -)"},
    {"f()", "(f())"},
    {"if(a, b, c)", "(if() a b c)"},
    {"last(this over 1h).a", "(.a (last over this 3600000 - -))"},
    {"count(a in [b] of s over 1h)", "(count over s 3600000 (in a (list b)) -)"},
    {"", "E011"},
    {"a b", "E011"},
    {"a ==", "E011"},
    {"(a", "E011"},
    {"a)", "E011"},
    {"[a", "E011"},
    {"a.", "E011"},
    {"a.in", "E011"},
    {"in", "E011"},
    {"a else skip", "E011"},
    {"a = b", "E013"},
    {"a ? b : c", "E013"},
    {"a && b", "E013"},
    {"a || b", "E013"},
    {"!a", "E013"},
    {"a # b", "E010"},
    {"a ; b", "E010"},
    {"\"a", "E010"},
    {"007", "E012"},
    {"1.5h", "E012"},
    {"1x", "E012"},
    {"9223372036854775807", "9223372036854775807"},
    {"9223372036854775808", "E012"},
    {"count(this)", "E017"},
    {"count(this over x)", "E016"},
    {"count(this over -5m)", "E016"},
    {"count(this over 1h every 25m)", "E016"},
    {"count(this over 1h every soon)", "E016"},
    {"quantile(a of this over 1h)", "E012"},
    {"quantile(2.5, a of this over 1h)", "E012"},
    {"usual(a, 7d)", "E039"},
    {"usual(count(this over 1h), 90m)", "E016"},
    {"count(5 over 1h)", "E011"},
    {"count(this over 1h", "E011"},
};

TEST(Parser, SeesTheShapeThatTheGrammarGives) {
  for (const ShapeRow& row : kShapes) {
    const Written written("x: " + single_quoted(row.written));
    Diagnostics diagnostics;
    const ParseNodePtr node = parse_expression(written.value(), diagnostics);
    const std::string seen = node != nullptr             ? shape(node.get())
                             : diagnostics.all().empty() ? "silent"
                                                         : diagnostics.all()[0].code;
    EXPECT_EQ(seen, row.shape) << row.written;
    EXPECT_EQ(diagnostics.all().size(), node != nullptr ? 0U : 1U) << row.written;
  }
}

TEST(Parser, ReadsWhatStandsBehindAFact) {
  const Written written("x: a.b else wait 60s\ny: a else skip\nz: a ?? 1");
  Diagnostics diagnostics;
  const ParsedFact waiting = parse_fact(written.value("x"), diagnostics);
  EXPECT_EQ(shape(waiting.value.get()), "(.b a)");
  EXPECT_EQ(waiting.otherwise, Fact::Otherwise::wait);
  EXPECT_EQ(waiting.wait, kMinute);
  EXPECT_EQ(waiting.otherwise_span.column, 8);
  EXPECT_EQ(parse_fact(written.value("y"), diagnostics).otherwise, Fact::Otherwise::skip);
  EXPECT_EQ(parse_fact(written.value("z"), diagnostics).otherwise, Fact::Otherwise::keep);
  EXPECT_TRUE(diagnostics.all().empty());
}

struct PlaceRow {
  const char* about;
  const char* yaml;  // the name `bad` stands somewhere in the value of x
  int32_t line, column;
};

const PlaceRow kPlaces[] = {
    {"plain", "x: a == bad", 1, 9},
    {"plain, indented key", "y:\nx:   bad", 2, 6},
    {"behind Chinese text", "{y: 重复扣款, x: bad}", 1, 22},
    {"plain over two lines", "x: a and\n  bad", 2, 3},
    {"plain over lines with an empty one", "x: a and\n\n    bad", 3, 5},
    {"single quotes", "x: 'a == bad'", 1, 10},
    {"single quotes with a quote in it", "x: '\"it''s\" == bad'", 1, 16},
    {"double quotes", "x: \"a == bad\"", 1, 10},
    {"double quotes with escapes", "x: \"\\\"a\\\" == bad\"", 1, 14},
    {"double quotes with a code point", "x: \"\\\"\\u91cd\\\" == bad\"", 1, 19},
    {"double quotes over two lines", "x: \"a ==\n   bad\"", 2, 4},
    {"double quotes with an escaped line break", "x: \"a ==\\\n   bad\"", 2, 4},
    {"literal block", "x: |\n  a\n  == bad\n", 3, 6},
    {"folded block", "x: >-\n  a ==\n\n  bad\n", 4, 3},
    {"literal block with deeper lines", "x: |2-\n    a\n      == bad", 3, 10},
    {"behind an anchor", "x: &anchor bad", 1, 12},
    {"in a flow mapping", "{y: 1, x: bad}", 1, 11},
    {"a file with CR LF", "y: 1\r\nx: bad\r\n", 2, 4},
};

TEST(Places, AreExactInEveryKindOfScalar) {
  for (const PlaceRow& row : kPlaces) {
    const Written written(row.yaml);
    ASSERT_EQ(written.file.documents.size(), 1U) << row.about;
    const PlacedText text = written.value();
    const size_t at = text.text().find("bad");
    ASSERT_NE(at, std::string_view::npos) << row.about;
    const Span span = text.span(at, at + 3);
    EXPECT_EQ(span.line, row.line) << row.about;
    EXPECT_EQ(span.column, row.column) << row.about;
    EXPECT_EQ(span.length, 3) << row.about;
  }
}

TEST(Yaml, AliasesReachOverTheDocumentsOfAFile) {
  const Written written("x: &told a\n---\ny: *told\n---\n# nothing\n---\nz: [*told, *told]\n");
  ASSERT_TRUE(written.diagnostics.all().empty());
  ASSERT_EQ(written.file.documents.size(), 3U);
  EXPECT_EQ(written.file.documents[1]->find("y")->text, "a");
  EXPECT_EQ(written.file.documents[2]->find("z")->values.size(), 2U);
}

TEST(Yaml, CanonicalTextFollowsAliasesAndForgetsLayout) {
  const Written one("a: &v {b: 'c d'}\ne: *v\n");
  const Written other("# comment\na:\n    b: c d   # more\ne: {b: \"c d\"}\n");
  EXPECT_EQ(canonical_text(*one.file.documents[0]), canonical_text(*other.file.documents[0]));
  EXPECT_EQ(canonical_text(*one.file.documents[0]), R"({"a":{"b":"c d"},"e":{"b":"c d"}})");
}

struct RefusedRow {
  std::string text;
  const char* code;
};

TEST(Yaml, RefusesWhatCannotBeRead) {
  const RefusedRow rows[] = {
      {"a: [1", "E001"},
      {"a: b: c", "E001"},
      {"\tx: 1", "E001"},
      {"a: 1\na: 2", "E002"},
      {"a: *b", "E008"},
      {"&a [*a]", "E008"},
      {"a: !t b", "E008"},
      {"a: \xff", "E006"},
      {"? [a]\n: b", "E005"},
      {"a: \xc0\x80", "E006"},
      {std::string("a\0b", 3), "E006"},
      {"\xff\xfe"
       "a",
       "E006"},
      {std::string(40, '['), "E007"},
      {std::string(YamlLimits::kFileBytes + 1, ' '), "E007"},
  };
  for (const RefusedRow& row : rows) {
    const Written written(row.text);
    ASSERT_EQ(written.diagnostics.all().size(), 1U) << row.text.substr(0, 40);
    EXPECT_EQ(written.diagnostics.all()[0].code, row.code) << row.text.substr(0, 40);
  }
}

TEST(Diagnostics, AreOneJsonObjectALine) {
  Sources sources;
  Diagnostics diagnostics;
  const int32_t file = sources.add("a \"b\".yaml", "x: \t重复\n");
  Diagnostic& error = diagnostics.error("E020", "no `\n`", sources.span(file, 4, 10), "here");
  error.helps.push_back("help");
  EXPECT_EQ(
      render_json(error, sources),
      "{\"level\":\"error\",\"code\":\"E020\",\"message\":\"no `\\n`\",\"file\":\"a \\\"b\\\".yaml\",\"line\":1,\"column\":5,"
      "\"length\":6,\"label\":\"here\",\"helps\":[\"help\"],\"notes\":[]}");
  EXPECT_EQ(render(error, sources),
            "error[E020]: no ` `\n --> a \"b\".yaml:1:5\n  |\n1 | x:  重复\n  |     ^^^^ here\n  = help: help\n");
  EXPECT_TRUE(render(error, sources, true).contains("\x1b[1;31merror[E020]\x1b[0m"));
}

TEST(Diagnostics, CutVeryLongLinesAroundTheMistake) {
  Sources sources;
  Diagnostics diagnostics;
  const int32_t file = sources.add("a", std::string(5000, 'x') + "BAD" + std::string(5000, 'y'));
  const std::string text = render(diagnostics.error("E020", "m", sources.span(file, 5000, 5003)), sources);
  EXPECT_LT(text.size(), 600U);
  EXPECT_TRUE(text.contains("xBADy"));
}

}  // namespace
}  // namespace tillwatch::rules
