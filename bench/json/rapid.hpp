// SPDX-License-Identifier: Apache-2.0
// The same order by RapidJSON: its tree, bound by hand field by field; its Writer.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <string>
#include <string_view>

#include "bench/json/order.hpp"

namespace bench {

using rapid_value = rapidjson::Value;
using rapid_writer = rapidjson::Writer<rapidjson::StringBuffer>;

inline void rapid_get(const rapid_value& from, std::string& to) {
  to.assign(from.GetString(), from.GetStringLength());
}
inline void rapid_get(const rapid_value& from, double& to) { to = from.GetDouble(); }
inline void rapid_get(const rapid_value& from, int& to) { to = from.GetInt(); }
inline void rapid_get(const rapid_value& from, int64_t& to) { to = from.GetInt64(); }
inline void rapid_get(const rapid_value& from, bool& to) { to = from.GetBool(); }
inline void rapid_get(const rapid_value& from, std::map<std::string, std::string>& to) {
  for (const auto& each : from.GetObject()) {
    to.emplace(std::string(each.name.GetString(), each.name.GetStringLength()),
               std::string(each.value.GetString(), each.value.GetStringLength()));
  }
}

inline void rapid_put(rapid_writer& to, const std::string& from) {
  to.String(from.data(), static_cast<rapidjson::SizeType>(from.size()));
}
inline void rapid_put(rapid_writer& to, double from) { to.Double(from); }
inline void rapid_put(rapid_writer& to, int from) { to.Int(from); }
inline void rapid_put(rapid_writer& to, int64_t from) { to.Int64(from); }
inline void rapid_put(rapid_writer& to, bool from) { to.Bool(from); }
inline void rapid_put(rapid_writer& to, const std::map<std::string, std::string>& from) {
  to.StartObject();
  for (const auto& [key, value] : from) {
    to.Key(key.data(), static_cast<rapidjson::SizeType>(key.size()));
    rapid_put(to, value);
  }
  to.EndObject();
}

template <class T>
void rapid_get(const rapid_value& from, std::vector<T>& to);
template <class T>
void rapid_put(rapid_writer& to, const std::vector<T>& from);

// The names of the fields, once for both directions: f(name, field).
template <class Self, class F>
  requires std::is_same_v<std::remove_const_t<Self>, item>
void each_field(Self& self, F f) {
  f("sku", self.sku), f("name", self.name), f("quantity", self.quantity);
  f("price", self.price), f("weight", self.weight), f("attrs", self.attrs);
}
template <class Self, class F>
  requires std::is_same_v<std::remove_const_t<Self>, address>
void each_field(Self& self, F f) {
  f("name", self.name), f("street", self.street), f("city", self.city), f("zip", self.zip);
  f("country", self.country), f("lat", self.lat), f("lon", self.lon);
}
template <class Self, class F>
  requires std::is_same_v<std::remove_const_t<Self>, payment>
void each_field(Self& self, F f) {
  f("method", self.method), f("network", self.network), f("last4", self.last4);
  f("amount", self.amount), f("authorized", self.authorized), f("reference", self.reference);
}
template <class Self, class F>
  requires std::is_same_v<std::remove_const_t<Self>, order>
void each_field(Self& self, F f) {
  f("id", self.id), f("customer", self.customer), f("status", self.status);
  f("currency", self.currency), f("total", self.total), f("discount", self.discount);
  f("created_at", self.created_at), f("priority", self.priority), f("gift", self.gift);
  f("note", self.note), f("tags", self.tags), f("items", self.items);
  f("shipping", self.shipping), f("billing", self.billing), f("payment", self.payment);
}

template <class T>
  requires requires(T& t) { each_field(t, [](auto&&...) {}); }
void rapid_get(const rapid_value& from, T& to) {
  each_field(to, [&](const char* name, auto& field) {
    auto found = from.FindMember(name);
    if (found != from.MemberEnd()) rapid_get(found->value, field);
  });
}
template <class T>
  requires requires(const T& t) { each_field(t, [](auto&&...) {}); }
void rapid_put(rapid_writer& to, const T& from) {
  to.StartObject();
  each_field(from, [&](const char* name, const auto& field) {
    to.Key(name);
    rapid_put(to, field);
  });
  to.EndObject();
}

template <class T>
void rapid_get(const rapid_value& from, std::vector<T>& to) {
  to.reserve(from.Size());
  for (const auto& each : from.GetArray()) rapid_get(each, to.emplace_back());
}
template <class T>
void rapid_put(rapid_writer& to, const std::vector<T>& from) {
  to.StartArray();
  for (const T& each : from) rapid_put(to, each);
  to.EndArray();
}

inline order rapid_decode(std::string_view text) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseFullPrecisionFlag>(text.data(), text.size());
  order out;
  if (!document.HasParseError()) rapid_get(document, out);
  return out;
}

inline std::string rapid_encode(const order& from) {
  rapidjson::StringBuffer buffer;
  rapid_writer writer(buffer);
  rapid_put(writer, from);
  return std::string(buffer.GetString(), buffer.GetSize());
}

}  // namespace bench
