// SPDX-License-Identifier: Apache-2.0
// weft completion: scripts for shells, made from the descriptions of the commands.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"

namespace weft_command {

namespace {

constexpr std::string_view kinds = "cpu wall heap allocs block mutex sched goroutine threadcreate";

/// What an argument or an option's value may be: words, "@pids", "@files", or nothing.
std::string choices(std::string_view what) {
  if (what == "FILE") return "@files";
  if (what == "TARGET") return "@pids";
  if (what == "KIND") return std::string(kinds);
  if (what == "SHELL") return "bash zsh fish";
  std::string out;
  if (what.contains('|')) {
    out = what;
    std::ranges::replace(out, '|', ' ');
  }
  return out;
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end != 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// bash and zsh (by its emulation of bash's completion) share one function.
std::string bash_function() {
  std::string out =
      "_weft() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
      "  local name=${COMP_WORDS[1]} i arguments=0 choices=\n"
      "  [[ $name == trace && ${COMP_WORDS[2]} == convert && $COMP_CWORD -gt 2 ]] && "
      "name='trace convert'\n"
      "  local options values\n"
      "  case $name in\n";
  std::string names;
  for (const command* c : all_commands()) {
    std::string options;
    std::string values;
    for (const option& o : c->options) {
      options += std::string(o.name) + " ";
      const std::string may = o.value == nullptr ? "" : choices(o.value);
      if (o.value == nullptr) continue;
      for (const char* name : {o.name, o.letter})
        if (name != nullptr) values += std::string(name) + "=" + may + ";";
    }
    std::string arguments;
    for (const std::string& a : words_of(c->arguments)) arguments += choices(a) + ";";
    out += "    " + quoted(c->name) + ")\n      options=" + quoted(options + "--help") +
           "\n      values=" + quoted(values) + "\n      arguments_of=" + quoted(arguments) +
           " ;;\n";
    if (!std::string_view(c->name).contains(' ')) names += std::string(c->name) + " ";
  }
  out +=
      "    *) options=; values=; arguments_of= ;;\n  esac\n"
      "  if [[ $COMP_CWORD -eq 1 ]]; then\n"
      "    COMPREPLY=($(compgen -W " +
      quoted(names + "help --help --version") +
      " -- \"$word\"))\n    return\n  fi\n"
      "  local IFS=';' one\n"
      "  for one in $values; do\n"
      "    [[ ${one%%=*} == \"$before\" ]] && choices=${one#*=} && arguments=-1\n"
      "  done\n"
      "  if [[ $arguments -eq 0 && $word == -* ]]; then\n"
      "    IFS=$' \\t\\n'\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n    return\n  fi\n"
      "  if [[ $arguments -eq 0 ]]; then\n"
      "    local skip=2\n"
      "    [[ $name == 'trace convert' ]] && skip=3\n"
      "    for ((i = skip; i < COMP_CWORD; ++i)); do\n"
      "      [[ ${COMP_WORDS[i]} == -* ]] && continue\n"
      "      [[ \";$values\" == *\";${COMP_WORDS[i-1]}=\"* ]] && continue\n"
      "      arguments=$((arguments + 1))\n"
      "    done\n"
      "    i=0\n"
      "    for one in $arguments_of; do\n"
      "      [[ $i -eq $arguments ]] && choices=$one\n"
      "      i=$((i + 1))\n"
      "    done\n"
      "  fi\n"
      "  IFS=$' \\t\\n'\n"
      "  case $choices in\n"
      "    @files) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
      "    @pids) COMPREPLY=($(compgen -W \"$(weft ps --pids 2>/dev/null)\" -- \"$word\")) ;;\n"
      "    *) COMPREPLY=($(compgen -W \"$choices\" -- \"$word\")) ;;\n"
      "  esac\n"
      "  [[ $name == trace && $COMP_CWORD -eq 2 ]] && "
      "COMPREPLY+=($(compgen -W convert -- \"$word\"))\n"
      "}\n";
  return out;
}

std::string fish_script() {
  std::string out = "complete -c weft -f\n";
  for (const command* c : all_commands()) {
    const std::string_view name = c->name;
    const size_t blank = name.find(' ');
    const std::string first(name.substr(0, blank));
    std::string when = "__fish_seen_subcommand_from " + first;
    if (blank == std::string_view::npos) {
      out += "complete -c weft -n __fish_use_subcommand -a " + first + " -d " + quoted(c->summary) +
             "\n";
    } else {
      const std::string second(name.substr(blank + 1));
      out += "complete -c weft -n '" + when + "' -a " + second + " -d " + quoted(c->summary) + "\n";
      when += "; and __fish_seen_subcommand_from " + second;
    }
    for (const option& o : c->options) {
      out += "complete -c weft -n '" + when + "' -l " + (o.name + 2);
      if (o.letter != nullptr) out += std::string(" -s ") + (o.letter + 1);
      if (o.value != nullptr) {
        const std::string may = choices(o.value);
        out += may == "@files" ? " -r -F" : may.empty() ? " -x" : " -x -a " + quoted(may);
      }
      out += " -d " + quoted(o.help) + "\n";
    }
    for (const std::string& a : words_of(c->arguments)) {
      const std::string may = choices(a);
      if (may == "@files")
        out += "complete -c weft -n '" + when + "' -F\n";
      else if (may == "@pids")
        out += "complete -c weft -n '" + when + "' -a '(weft ps --pids 2>/dev/null)'\n";
      else if (!may.empty())
        out += "complete -c weft -n '" + when + "' -a " + quoted(may) + "\n";
    }
  }
  return out;
}

int run(const invocation& given) {
  const std::string& shell = given.arguments[0];
  std::string out;
  if (shell == "bash")
    out = bash_function() + "complete -F _weft weft\n";
  else if (shell == "zsh")
    out = "#compdef weft\nautoload -U +X bashcompinit && bashcompinit\n" + bash_function() +
          "complete -F _weft weft\n";
  else if (shell == "fish")
    out = fish_script();
  else
    return report(usage_error("completion: there is bash, zsh and fish, not \"" + shell + "\""));
  return print_out(out) ? exit_good : exit_failed;
}

}  // namespace

const command completion_command{
    .name = "completion",
    .arguments = "SHELL",
    .summary = "A script that completes weft's command line in bash, zsh or fish",
    .details =
        "bash:  source <(weft completion bash)\n"
        "zsh:   source <(weft completion zsh)\n"
        "fish:  weft completion fish | source\n",
    .options = {},
    .arguments_min = 1,
    .arguments_max = 1,
    .on_runtime = false,
    .run = run};

}  // namespace weft_command
