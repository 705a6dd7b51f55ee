// SPDX-License-Identifier: Apache-2.0
// The command line: which command, which options; the help texts.
#include "command.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "commands.hpp"
#include "weft/sched/run.hpp"

namespace weft_command {

namespace {

const weft::error& usage_mark() {
  static const weft::error mark("usage");
  return mark;
}
struct is_usage {};

std::string pad(std::string text, size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string overview() {
  std::string out =
      "usage: weft COMMAND [OPTION]... [ARGUMENT]...\n\n"
      "Looks into Weft programs: where they spend time and memory, and what they wait for.\n\n";
  for (const command* c : all_commands())
    out += "  " + pad(std::string(c->name), 14) + c->summary + "\n";
  out +=
      "\nweft COMMAND --help says more about one. A TARGET is a process id, an address such as\n"
      "127.0.0.1:6060 or unix:/path/to/socket, or a URL.\n\n"
      "  --json             machine-readable output, with every command that prints\n"
      "  --token TEXT       for targets that want one (default: WEFT_DEBUG_TOKEN)\n\n"
      "Exit status: 0; 1 if it did not work; 2 for a wrong command line.\n";
  return out;
}

std::string help_of(const command& c) {
  std::string out =
      "usage: weft " + std::string(c.name) + (c.options.empty() ? "" : " [OPTION]...") +
      (*c.arguments == 0 ? "" : std::string(" ") + c.arguments) + "\n\n" + c.summary + ".\n";
  if (!c.options.empty()) out += "\n";
  for (const option& o : c.options) {
    std::string name = o.letter == nullptr ? "    " : std::string(o.letter) + ", ";
    name += o.name;
    if (o.value != nullptr) name += std::string(" ") + o.value;
    out += "  " + pad(std::move(name), 24) + " " + o.help + "\n";
  }
  if (c.details != nullptr) out += std::string("\n") + c.details;
  out += "\nExit status: 0; 1 if it did not work; 2 for a wrong command line.\n";
  return out;
}

/// The command that the words begin with, and how many of them are its name.
const command* find_command(std::span<char* const> words, size_t& used) {
  const command* best = nullptr;
  for (const command* c : all_commands()) {
    const std::string_view name = c->name;
    const size_t blank = name.find(' ');
    const bool two = blank != std::string_view::npos;
    if (words.empty() || name.substr(0, blank) != words[0]) continue;
    if (two && (words.size() < 2 || name.substr(blank + 1) != words[1])) continue;
    if (best != nullptr && !two) continue;
    best = c;
    used = two ? 2 : 1;
  }
  return best;
}

}  // namespace

class command_line {
 public:
  explicit command_line(const command& c) : command_(c) {}

  weft::result<invocation> parse(std::span<char* const> words) {
    bool only_arguments = false;
    for (size_t i = 0; i < words.size(); ++i) {
      const std::string_view word = words[i];
      if (only_arguments || !word.starts_with('-') || word == "-") {
        out_.arguments.emplace_back(word);
      } else if (word == "--") {
        only_arguments = true;
      } else if (weft::result<size_t> more = parse_option(words.subspan(i)); !more) {
        return weft::fail(more.error());
      } else {
        i += *more;
      }
    }
    if (out_.arguments.size() < command_.arguments_min)
      return weft::fail(usage_error(std::string(command_.name) + ": " + command_.arguments +
                                    (command_.arguments_min > 1 ? " are wanted" : " is missing")));
    if (out_.arguments.size() > command_.arguments_max)
      return weft::fail(usage_error(std::string(command_.name) + ": \"" +
                                    out_.arguments[command_.arguments_max] + "\" is too much"));
    return std::move(out_);
  }

 private:
  /// How many of the words behind the first one belong to it.
  weft::result<size_t> parse_option(std::span<char* const> words) {
    const std::string_view word = words[0];
    const size_t equals = word.starts_with("--") ? word.find('=') : std::string_view::npos;
    const std::string_view name = word.substr(0, equals);
    const auto known = std::ranges::find_if(command_.options, [name](const option& o) {
      return name == o.name || (o.letter != nullptr && name == o.letter);
    });
    if (known == command_.options.end())
      return weft::fail(
          usage_error(std::string(command_.name) + ": unknown option " + std::string(name)));
    std::vector<std::string>& to = out_.values_[known->name];
    if (known->value == nullptr) {
      if (equals != std::string_view::npos)
        return weft::fail(usage_error(std::string(name) + " takes no value"));
      to.emplace_back();
      return 0;
    }
    if (equals != std::string_view::npos) {
      to.emplace_back(word.substr(equals + 1));
      return 0;
    }
    if (words.size() < 2)
      return weft::fail(usage_error(std::string(name) + ": a value is missing: " + known->value));
    to.emplace_back(words[1]);
    return 1;
  }

  const command& command_;
  invocation out_;
};

std::string_view invocation::value(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : std::string_view(found->second.back());
}

const std::vector<std::string>& invocation::values(std::string_view name) const {
  static const std::vector<std::string> none;
  const auto found = values_.find(name);
  return found == values_.end() ? none : found->second;
}

weft::result<double> invocation::seconds(std::string_view name, double otherwise, double min,
                                         double max) const {
  if (!has(name)) return otherwise;
  const std::string_view text = value(name);
  struct unit {
    std::string_view name;
    double seconds;
  };
  static constexpr unit units[] = {{"", 1},      {"s", 1},  {"ms", 1e-3},
                                   {"us", 1e-6}, {"m", 60}, {"h", 3600}};
  double count = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (bad == std::errc{}) {
    const std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
    for (const unit& u : units) {
      const double out = count * u.seconds;
      if (rest == u.name && out >= min && out <= max) return out;
    }
  }
  std::string bounds(64, 0);
  bounds.resize(static_cast<size_t>(
      std::snprintf(bounds.data(), bounds.size(), "from %g to %g seconds", min, max)));
  return weft::fail(usage_error(std::string(name) + " \"" + std::string(text) +
                                "\": must be a time such as 30, 500ms or 2m, " + bounds));
}

weft::result<int64_t> invocation::number(std::string_view name, int64_t otherwise, int64_t min,
                                         int64_t max) const {
  if (!has(name)) return otherwise;
  const std::string_view text = value(name);
  int64_t out = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (bad == std::errc{} && end == text.data() + text.size() && out >= min && out <= max)
    return out;
  return weft::fail(usage_error(std::string(name) + " \"" + std::string(text) +
                                "\": must be a whole number from " + std::to_string(min) + " to " +
                                std::to_string(max)));
}

weft::error usage_error(std::string what) {
  return weft::error::wrap(std::move(what), usage_mark()).with(is_usage{});
}

int report(const weft::error& what) {
  std::string text = what.message();
  const bool usage = what.as<is_usage>() != nullptr;
  if (usage && text.ends_with(": usage")) text.resize(text.size() - 7);
  std::fprintf(stderr, "weft: %s\n", text.c_str());
  if (usage) std::fputs("weft --help says what there is\n", stderr);
  return usage ? exit_usage : exit_failed;
}

bool print_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0)
    return true;
  std::perror("weft: standard output");
  return false;
}

int run_command_line(std::span<char* const> words) {
  if (words.empty()) {
    std::fputs(overview().c_str(), stderr);
    return exit_usage;
  }
  const auto wants_help = [](std::string_view word) { return word == "--help" || word == "-h"; };
  if (wants_help(words[0]) || words[0] == std::string_view("help"))
    return print_out(overview()) ? exit_good : exit_failed;
  if (words[0] == std::string_view("--version"))
    return print_out("weft " WEFT_COMMAND_VERSION "\n") ? exit_good : exit_failed;
  size_t used = 0;
  const command* c = find_command(words, used);
  if (c == nullptr)
    return report(usage_error("there is no command \"" + std::string(words[0]) + "\""));
  words = words.subspan(used);
  if (std::ranges::any_of(words, wants_help))
    return print_out(help_of(*c)) ? exit_good : exit_failed;
  const weft::result<invocation> given = command_line(*c).parse(words);
  if (!given) return report(given.error());
  if (!c->on_runtime) return c->run(*given);
  return weft::run([&] { return c->run(*given); });
}

}  // namespace weft_command
