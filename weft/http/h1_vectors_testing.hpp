// SPDX-License-Identifier: Apache-2.0
// Requests that servers and parsers are known to read differently, and what is right: the 35 of the
// table of research (measured against nginx, Go, Beast and others), and more of their kinds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace h1_test {

struct vector {
  const char* name;
  std::string wire;
  int status;  // what a server answers; 0: it is a good request
};

inline std::string with_nul(std::string_view before, std::string_view after) {
  std::string out(before);
  out.push_back('\0');
  out.append(after);
  return out;
}
inline std::string chunked(std::string_view body) {
  return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(body);
}
inline std::string get(std::string_view fields) {
  return "GET / HTTP/1.1\r\n" + std::string(fields) + "\r\n";
}
inline std::string post(std::string_view fields, std::string_view body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

/// In the order of the table.
inline std::vector<vector> smuggling_vectors() {
  return {
      {"CL.TE both", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG"),
       400},
      {"two CL differ", post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), 400},
      {"CL list 1,2", post("Content-Length: 1, 2\r\n", "ab"), 400},
      {"CL +1", post("Content-Length: +1\r\n", "a"), 400},
      {"CL -1", post("Content-Length: -1\r\n", "a"), 400},
      {"CL 0x1", post("Content-Length: 0x1\r\n", "a"), 400},
      {"CL empty", post("Content-Length: \r\n"), 400},
      {"CL overflow", post("Content-Length: 18446744073709551617\r\n", "a"), 400},
      {"TE xchunked", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
      {"TE identity", post("Transfer-Encoding: identity\r\n", "0\r\n\r\n"), 501},
      {"TE chunked,chunked", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), 501},
      {"TE two headers",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n"), 400},
      {"TE in HTTP/1.0",
       "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"space before colon", get("Host : a\r\n"), 400},
      {"obs-fold", get("Host: a\r\nX: b\r\n c\r\n"), 400},
      {"leading SP first header", get(" Host: a\r\n"), 400},
      {"bare LF line ends", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare CR in value", get("Host: a\r\nX: b\rc\r\n"), 400},
      {"NUL in value", get(with_nul("Host: a\r\nX: b", "c\r\n")), 400},
      {"empty header name", get("Host: a\r\n: b\r\n"), 400},
      {"no Host 1.1", get(""), 400},
      {"two Hosts", get("Host: a\r\nHost: b\r\n"), 400},
      {"bad Host a b", get("Host: a b\r\n"), 400},
      {"chunk 0x1", chunked("0x1\r\na\r\n0\r\n\r\n"), 400},
      {"chunk +1", chunked("+1\r\na\r\n0\r\n\r\n"), 400},
      {"chunk size overflow", chunked("10000000000000001\r\na\r\n0\r\n\r\n"), 400},
      {"chunk bare LF", chunked("1\na\r\n0\r\n\r\n"), 400},
      {"chunk ext bare LF", chunked("1;a\nb\r\na\r\n0\r\n\r\n"), 400},
      {"chunk data no CRLF", chunked("1\r\nab\r\n0\r\n\r\n"), 400},
      {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"lower http/1.1", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"method with tab", "GE\tT / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"SP in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/0.9 simple", "GET /\r\n", 400},
      // Go's limit is 1 MiB, and 4 KiB that its buffer had already.
      {"1MB+ header", get("Host: a\r\nX: " + std::string((1 << 20) + 8192, 'x') + "\r\n"), 431},
  };
}

inline std::vector<vector> more_vectors() {
  const std::string h = "Host: a\r\n";
  return {
      // Lengths.
      {"two CL equal", post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), 400},
      {"CL list equal", post("Content-Length: 1, 1\r\n", "a"), 400},
      {"CL leading zero", post("Content-Length: 01\r\n", "a"), 400},
      {"CL inner space", post("Content-Length: 1 0\r\n", "a"), 400},
      {"CL trailing text", post("Content-Length: 1a\r\n", "a"), 400},
      {"CL underscore digits", post("Content-Length: 1_0\r\n", "a"), 400},
      {"CL fraction", post("Content-Length: 1.0\r\n", "a"), 400},
      {"CL exponent", post("Content-Length: 1e1\r\n", "a"), 400},
      {"CL quoted", post("Content-Length: \"1\"\r\n", "a"), 400},
      {"CL full-width digit", post("Content-Length: \xef\xbc\x91\r\n", "a"), 400},
      {"CL above the sign", post("Content-Length: 9223372036854775808\r\n"), 400},
      {"CL vertical tab",
       post("Content-Length:\x0b"
            "1\r\n",
            "a"),
       400},
      {"CL folded", post("Content-Length:\r\n 1\r\n", "a"), 400},
      {"CL name with a tab", post("Content-Length\t: 1\r\n", "a"), 400},
      {"CL name with NUL", post(with_nul("Content-Length", ": 1\r\n"), "a"), 400},
      {"CL in CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\na", 400},
      // Codings.
      {"TE chunked, identity", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), 501},
      {"TE identity, chunked", post("Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n"), 501},
      {"TE gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {"TE twice equal",
       post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE empty", post("Transfer-Encoding:\r\n", "0\r\n\r\n"), 501},
      {"TE comma", post("Transfer-Encoding: chunked,\r\n", "0\r\n\r\n"), 501},
      {"TE comma first", post("Transfer-Encoding: ,chunked\r\n", "0\r\n\r\n"), 501},
      {"TE quoted", post("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n"), 501},
      {"TE parameter", post("Transfer-Encoding: chunked;q=1\r\n", "0\r\n\r\n"), 501},
      {"TE vertical tab",
       post("Transfer-Encoding:\x0b"
            "chunked\r\n",
            "0\r\n\r\n"),
       400},
      {"TE form feed", post("Transfer-Encoding: chunked\x0c\r\n", "0\r\n\r\n"), 400},
      {"TE DEL", post("Transfer-Encoding: chunked\x7f\r\n", "0\r\n\r\n"), 400},
      {"TE long s",
       post("Transfer-Encoding: chun\xe2\x84\xaa"
            "ed\r\n",
            "0\r\n\r\n"),
       501},
      {"TE no-break space", post("Transfer-Encoding: chunked\xa0\r\n", "0\r\n\r\n"), 501},
      {"TE folded", post("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n"), 400},
      {"TE folded by a tab", post("Transfer-Encoding:\r\n\tchunked\r\n", "0\r\n\r\n"), 400},
      {"TE hidden by CR", post("X: y\rTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE hidden by LF", post("X: y\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"TE.CL both", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"), 400},
      {"TE identity and CL", post("Transfer-Encoding: identity\r\nContent-Length: 1\r\n", "a"),
       400},
      {"TE and CL 0", post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", "0\r\n\r\n"),
       400},
      {"TE name in quotes", post("\"Transfer-Encoding\": chunked\r\n", "0\r\n\r\n"), 400},
      {"TE name and space", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400},
      {"TE in HTTP/1.0 with keep-alive",
       "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      // Fields.
      {"no colon", get(h + "X\r\n"), 400},
      {"name with a space", get(h + "X Y: b\r\n"), 400},
      {"name with a high byte", get(h + "X\xc3\xa9: b\r\n"), 400},
      {"name with a slash", get(h + "X/Y: b\r\n"), 400},
      {"name with a bracket", get(h + "X[: b\r\n"), 400},
      {"escape in a value", get(h + "X: \x1b[0m\r\n"), 400},
      {"backspace in a value", get(h + "X: \x08\r\n"), 400},
      {"CR CR LF", get(h + "X: a\r\r\n"), 400},
      {"LF CR", get(h + "X: a\n\r"), 400},
      {"last line bare LF", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"last line bare CR", "GET / HTTP/1.1\r\nHost: a\r\n\rX: y\r\n\r\n", 400},
      {"fold before the first", "GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", 400},
      {"only spaces on a line", get(h + "  \r\n"), 400},
      {"201 fields", get([] {
         std::string all = "Host: a\r\n";
         for (int i = 0; i < 200; ++i) all += "X: y\r\n";
         return all;
       }()),
       431},
      {"name of 2 KB", get(h + std::string(2048, 'n') + ": b\r\n"), 431},
      {"many small fields without end", "GET / HTTP/1.1\r\n" + std::string(80 << 10, 'a'), 431},
      // The host.
      {"Host empty", get("Host:\r\n"), 400},
      {"Host with a path", get("Host: a/b\r\n"), 400},
      {"Host with a user", get("Host: u@a\r\n"), 400},
      {"Host list", get("Host: a, b\r\n"), 400},
      {"Host with a query", get("Host: a?b\r\n"), 400},
      {"Host with a fragment", get("Host: a#b\r\n"), 400},
      {"Host bad port", get("Host: a:b\r\n"), 400},
      {"Host port too large", get("Host: a:65536\r\n"), 400},
      {"Host two ports", get("Host: a:1:2\r\n"), 400},
      {"Host only a port", get("Host: :80\r\n"), 400},
      {"Host open bracket", get("Host: [::1\r\n"), 400},
      {"Host bad literal", get("Host: [g::1]\r\n"), 400},
      {"Host after a literal", get("Host: [::1]a\r\n"), 400},
      {"Host half an escape", get("Host: a%2\r\n"), 400},
      {"Host high byte", get("Host: \xc3\xa9\r\n"), 400},
      {"Host backslash", get("Host: a\\b\r\n"), 400},
      {"two Hosts, equal", get("Host: a\r\nhost: a\r\n"), 400},
      {"two Hosts in 1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"Host is not the target's", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", 400},
      {"absolute without Host", "GET http://a/ HTTP/1.1\r\n\r\n", 400},
      {"absolute without a host", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute with a user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"other scheme", "GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      // The request line.
      {"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method with a colon", "GET: / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method of 33", std::string(33, 'M') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 501},
      {"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab for a space", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space after the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment in the target", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"high byte in the target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"NUL in the target", with_nul("GET /", " HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
      {"DEL in the target", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"target of 8 KB and one", "GET /" + std::string(8192, 'a') + " HTTP/1.1\r\n", 414},
      {"target without an end", "GET /" + std::string(9000, 'a'), 414},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", 505},
      {"HTTP/1", "GET / HTTP/1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/01.1", "GET / HTTP/01.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/1,1", "GET / HTTP/1,1\r\nHost: a\r\n\r\n", 400},
      {"ICE/1.1", "GET / ICE/1.1\r\nHost: a\r\n\r\n", 400},
      {"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"bare LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TLS", std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), 400},
      {"* and GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT of a path", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"CONNECT without a port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"TRACE with a body", "TRACE / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na", 400},
      {"Expect other", post("Expect: 200-ok\r\nContent-Length: 1\r\n", "a"), 417},
      {"Expect twice",
       post("Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n", "a"), 417},
      {"Connection malformed", get(h + "Connection: clo se\r\n"), 400},
      // Chunks.
      {"chunk without a size", chunked("\r\na\r\n0\r\n\r\n"), 400},
      {"chunk of -1", chunked("-1\r\na\r\n0\r\n\r\n"), 400},
      {"chunk space first", chunked(" 1\r\na\r\n0\r\n\r\n"), 400},
      {"chunk space last", chunked("1 \r\na\r\n0\r\n\r\n"), 400},
      {"chunk tab before extension", chunked("1\t;a\r\na\r\n0\r\n\r\n"), 400},
      {"chunk g", chunked("g\r\na\r\n0\r\n\r\n"), 400},
      {"chunk underscore", chunked("1_0\r\na\r\n0\r\n\r\n"), 400},
      {"chunk 17 digits", chunked("00000000000000001\r\na\r\n0\r\n\r\n"), 400},
      {"chunk above the sign", chunked("8000000000000000\r\na\r\n0\r\n\r\n"), 400},
      {"chunk bare CR", chunked("1\ra\r\n0\r\n\r\n"), 400},
      {"chunk CR CR LF", chunked("1\r\r\na\r\n0\r\n\r\n"), 400},
      {"chunk end LF only", chunked("1\r\na\n0\r\n\r\n"), 400},
      {"chunk end CR only", chunked("1\r\na\r0\r\n\r\n"), 400},
      {"chunk end two more bytes", chunked("1\r\naXX0\r\n\r\n"), 400},
      {"chunk end LF CR", chunked("1\r\na\n\r0\r\n\r\n"), 400},
      {"chunk longer than told", chunked("1\r\naa\r\n0\r\n\r\n"), 400},
      {"chunk shorter than told", chunked("3\r\na\r\n0\r\n\r\n"), 400},
      {"last chunk bare LF", chunked("0\n\n"), 400},
      {"extension bare CR", chunked("1;a\rb\r\na\r\n0\r\n\r\n"), 400},
      {"extension NUL", chunked(with_nul("1;a", "\r\na\r\n0\r\n\r\n")), 400},
      {"extension of 257", chunked("1;" + std::string(257, 'e') + "\r\na\r\n0\r\n\r\n"), 400},
      {"many extensions", chunked([] {
         std::string all;
         for (int i = 0; i < 100; ++i) all += "1;" + std::string(200, 'e') + "\r\na\r\n";
         return all + "0\r\n\r\n";
       }()),
       400},
      // Trailers.
      {"trailer Content-Length", chunked("0\r\nContent-Length: 1\r\n\r\n"), 400},
      {"trailer Transfer-Encoding", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
      {"trailer Host", chunked("0\r\nHost: b\r\n\r\n"), 400},
      {"trailer Authorization", chunked("0\r\nAuthorization: b\r\n\r\n"), 400},
      {"trailer X-Forwarded-For", chunked("0\r\nX-Forwarded-For: b\r\n\r\n"), 400},
      {"trailer without a name", chunked("0\r\n: b\r\n\r\n"), 400},
      {"trailer bare LF", chunked("0\r\nX: b\n\r\n"), 400},
      {"trailer folded", chunked("0\r\nX: b\r\n c\r\n\r\n"), 400},
      {"trailer too long", chunked("0\r\nX: " + std::string(70000, 'x') + "\r\n\r\n"), 431},
      // Good ones, close to the bad.
      {"plain", get(h), 0},
      {"an empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 0},
      {"tabs around a value", get("Host:\t a \t\r\n"), 0},
      {"tab in a value", get(h + "X: a\tb\r\n"), 0},
      {"high bytes in a value", get(h + "X: \xc3\xa9\r\n"), 0},
      {"empty value", get(h + "X:\r\nY: \r\n"), 0},
      {"unusual name", get(h + "!#$%&'*+-.^_`|~09Az: b\r\n"), 0},
      {"TE in other case", post("transfer-ENCODING: Chunked\r\n", "1\r\na\r\n0\r\n\r\n"), 0},
      {"CL 0", post("Content-Length: 0\r\n"), 0},
      {"GET with a body", get(h + "Content-Length: 1\r\n") + "a", 0},
      {"chunk extension", chunked("1;a=b;c=\"d\"\r\na\r\n0;z\r\n\r\n"), 0},
      {"chunk leading zeros", chunked("0001\r\na\r\n000\r\n\r\n"), 0},
      {"chunk upper case", chunked("A\r\n0123456789\r\n0\r\n\r\n"), 0},
      {"trailer", chunked("0\r\nX-Checksum: b\r\n\r\n"), 0},
      {"absolute", "GET HTTP://A:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n", 0},
      {"absolute without a path", "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 0},
      {"CONNECT literal", "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", 0},
      {"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"Host literal", get("Host: [::ffff:1.2.3.4]:8080\r\n"), 0},
      {"Host empty port", get("Host: a:\r\n"), 0},
      {"Host escape", get("Host: a%20b\r\n"), 0},
      {"Connection list", get(h + "Connection: , keep-alive ,, X-Other\r\n"), 0},
      {"target of 8 KB", "GET /" + std::string(8191, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 0},
      {"200 fields", get([] {
         std::string all = "Host: a\r\n";
         for (int i = 0; i < 199; ++i) all += "X: y\r\n";
         return all;
       }()),
       0},
      {"other method", "M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", 0},
  };
}

}  // namespace h1_test
