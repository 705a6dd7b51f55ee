// SPDX-License-Identifier: Apache-2.0
// The document of the JSON rows: an order of 1448 bytes (order.json; Go reads the same file).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bench {

struct item {
  std::string sku;
  std::string name;
  int quantity = 0;
  double price = 0;
  double weight = 0;
  std::map<std::string, std::string> attrs;
};

struct address {
  std::string name;
  std::string street;
  std::string city;
  std::string zip;
  std::string country;
  double lat = 0;
  double lon = 0;
};

struct payment {
  std::string method;
  std::string network;
  std::string last4;
  double amount = 0;
  bool authorized = false;
  std::string reference;
};

struct order {
  int64_t id = 0;
  std::string customer;
  std::string status;
  std::string currency;
  double total = 0;
  double discount = 0;
  int64_t created_at = 0;
  int priority = 0;
  bool gift = false;
  std::string note;
  std::vector<std::string> tags;
  std::vector<item> items;
  address shipping;
  address billing;
  bench::payment payment;
};

}  // namespace bench
