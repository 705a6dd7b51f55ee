// SPDX-License-Identifier: Apache-2.0
// The code of docs/guide/json.md.
#include <weft/json/json.hpp>

#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace {

namespace json = weft::json;

// [structs]
struct item {
  std::string sku;
  int count = 1;
  double price = 0;
};
struct order {
  int64_t id = 0;
  std::string customer;
  std::vector<item> items;
  std::map<std::string, std::string> labels;
  std::optional<std::string> note;
};
// [structs]

void plain() {
  weft::result<order> got = json::decode<order>(
      R"({"id":7,"customer":"Ada","items":[{"sku":"a1","count":2,"price":12.5},{"sku":"b2"}]})");
  if (!got) return;
  got->labels["gift"] = "yes";
  std::puts(json::encode(*got)->c_str());
}

// [rules]
enum class status { open, paid, shipped };
WEFT_JSON_ENUM(status, open, paid, shipped);

struct invoice {
  int64_t number = 0;
  status state = status::open;
  std::string remark;
  std::string password;
  static constexpr auto json_fields() {
    return json::adjust(json::field("invoice_number", &invoice::number).required(),
                        json::field("remark", &invoice::remark).omit_empty(),
                        json::field("", &invoice::password).hidden());
  }
};
// [rules]

void rules() {
  invoice made{.number = 12, .state = status::paid, .remark = {}, .password = "secret"};
  std::puts(json::encode(made)->c_str());
}

void errors() {
  for (const char* text : {R"({"id":1,"items":[{"sku":"a"},{"sku":"b","price":"12"}]})",
                           R"({"id":1.5})", R"({"id":1,})"}) {
    weft::result<order> got = json::decode<order>(text);
    std::puts(got.error().message().c_str());
  }
  weft::result<invoice> got = json::decode<invoice>(R"({"state":"lost"})");
  const auto* wrong = got.error().as<json::problem>();
  std::printf("%s | %zu | %s\n", wrong->path.c_str(), wrong->offset, wrong->what.c_str());
  std::puts(json::decode<invoice>("{}").error().message().c_str());
}

void strict() {
  json::decode_options strict;
  strict.refuse_unknown_keys = true;
  strict.refuse_duplicate_keys = true;
  strict.depth_max = 8;
  weft::result<order> got = json::decode<order>(R"({"id":1,"custommer":"Ada"})", strict);
  std::puts(got.error().message().c_str());
}

// [variants]
struct card {
  std::string last4;
  static constexpr std::string_view json_tag = "card";
};
struct transfer {
  std::string iban;
  static constexpr std::string_view json_tag = "transfer";
};
using payment = std::variant<card, transfer>;
// [variants]

void variants() {
  weft::result<payment> got = json::decode<payment>(R"({"type":"card","last4":"4242"})");
  std::puts(std::get<card>(*got).last4.c_str());
  std::puts(json::encode(payment(transfer{"AT61"}))->c_str());
}

void trees() {
  weft::result<json::value> tree =
      json::decode<json::value>(R"({"user":{"name":"Ada","roles":["admin","dev"]},"age":36})");
  const json::value& roles = (*tree)["user"]["roles"];
  std::printf("%zu %s %d\n", roles.elements()->size(), roles[1].string()->c_str(),
              (*tree)["user"]["nothing"]["here"].is_null() ? 1 : 0);
  (*tree->members())["active"] = true;
  std::puts(json::encode(*tree, {.indent = 2})->c_str());
}

// A type that has its own form.
struct point {
  int x = 0;
  int y = 0;
};

}  // namespace

// [codec]
template <>
struct weft::json::codec<point> {
  static bool read(reader& in, point& out) {
    std::string text;
    const size_t at = in.offset();
    if (!in.read_string(text)) return false;
    return std::sscanf(text.c_str(), "%d/%d", &out.x, &out.y) == 2 ||
           in.fail(at, "expected a point like \"3/4\"");
  }
  static bool write(writer& out, const point& p) {
    return out.string(std::to_string(p.x) + '/' + std::to_string(p.y));
  }
};
// [codec]

int main() {
  plain();
  rules();
  errors();
  strict();
  variants();
  trees();
  std::puts(json::encode(std::vector<point>{{1, 2}, {3, 4}})->c_str());
  std::puts(json::decode<std::vector<point>>(R"(["1/2","x"])").error().message().c_str());
  return 0;
}
