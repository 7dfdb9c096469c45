// Reads the schema files of a bundle: streams, tables and lists, first all declarations of all files, then what refers to
// others.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "rules/language/checker.h"
#include "rules/language/field_types.h"
#include "rules/language/mapping_reader.h"
#include "rules/language/schema.h"

namespace tillwatch::rules {

// Gives the text of a list file; its name stands relative to the folder of `schema_file`.
using ReadListFile = std::function<Expected<std::string>(const std::string& schema_file, const std::string& name)>;

struct SchemaLimits {
  static constexpr size_t kFields = 2000;  // of one stream or table
  static constexpr size_t kListValues = 1'000'000;
};

class SchemaReader {
 public:
  SchemaReader(Schema& schema, CheckContext& context, ReadListFile read_list_file)
      : schema_(schema),
        context_(context),
        sources_(context.sources),
        diagnostics_(context.diagnostics),
        read_list_file_(std::move(read_list_file)) {}

  // Whether a document of a file is a part of the schema.
  static bool is_schema(const YamlNode& document);

  void add(const YamlNode& document);  // the node must outlive finish()
  void finish();                       // views, computed fields, conditions

 private:
  struct Pending {  // a declaration whose expressions wait until every name is known
    std::string name;
    const YamlNode* node;
  };

  void add_streams(const YamlNode& mapping);
  void add_tables(const YamlNode& mapping);
  void add_lists(const YamlNode& mapping);
  bool is_new(const YamlNode& key, std::string_view what);

  void topic_stream(const YamlNode& key, const YamlNode& node);
  void derived_stream(const YamlNode& key, const YamlNode& node);
  void add_stream(Stream stream, const YamlNode& node, bool good);
  std::vector<Field> fields(const MappingReader& reader, std::string_view key, Paths paths, bool& good);
  bool stream_settings(const MappingReader& reader, Stream& stream);

  void finish_stream(const Pending& pending);
  void add_views();
  bool add_view(const Pending& pending);
  void select(const MappingReader& reader, Stream& view, bool may_be_left_out);
  bool elements(const MappingReader& reader, Stream& view);
  void computed_fields(Stream& stream, const YamlNode& computed);
  std::vector<int32_t> field_list(const YamlNode& node, const std::vector<Field>& fields, const std::string& owner, bool& good);
  void unique_sets(const YamlNode& node, Stream& stream, const std::vector<Field>& fields);
  void accept(const YamlNode& node, Stream& stream);
  Scope event_scope(int32_t stream, std::string place) const;

  void add_table_streams();
  void table(const YamlNode& key, const YamlNode& node);
  void table_times(const MappingReader& reader, Table& table, bool& good);
  bool list_values(const YamlNode& key, const YamlNode& node, NamedList& list);
  bool list_file(const YamlNode& file, NamedList& list);

  Schema& schema_;
  CheckContext& context_;
  const Sources& sources_;
  Diagnostics& diagnostics_;
  ReadListFile read_list_file_;
  std::set<std::string> declared_;
  std::vector<Pending> streams_, views_;
};

// A constant duration of a key; `fallback` when the key is not there or wrong (which is reported).
DurationMs constant_duration(const YamlNode* node, DurationMs fallback, const Sources& sources, Diagnostics& diagnostics);

}  // namespace tillwatch::rules
