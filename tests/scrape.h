// GET /metrics, as Prometheus does it, over a plain socket.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace tillwatch::tests {

// `address` is "host:port". The whole response, or a word on why there is none.
inline std::string scrape(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &where.sin_addr);
  const int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) return "no connection";
  const std::string request = "GET /metrics HTTP/1.1\r\nHost: " + address + "\r\nConnection: close\r\n\r\n";
  if (send(connection, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size())) return "not sent";
  std::string response;
  char bytes[4096];
  for (ssize_t count; (count = recv(connection, bytes, sizeof bytes, 0)) > 0;)
    response.append(bytes, static_cast<size_t>(count));
  close(connection);
  return response;
}

}  // namespace tillwatch::tests
