#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fovea {

/// A web server on the loopback for tests: one connection after the other, files from memory.
class HttpServer {
 public:
  struct Page {
    std::string body;
    bool ranges = true;  ///< whether it answers a Range
    size_t break_after =
        0;  ///< closes the connection after so many bytes of the body, once; 0: never
  };

  explicit HttpServer(std::map<std::string, Page> pages) : pages_(std::move(pages)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(socket_, 16) != 0 ||
        ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      std::abort();
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~HttpServer() {
    ::shutdown(socket_, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// The request lines and ranges so far: "/file bytes=10-".
  std::vector<std::string> requests() {
    const std::lock_guard lock(guard_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int connection = ::accept(socket_, nullptr, nullptr);
      if (connection < 0) return;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string request;
    char part[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(connection, part, sizeof part, 0);
      if (count <= 0) return;
      request.append(part, static_cast<size_t>(count));
    }
    const std::string path = request.substr(4, request.find(' ', 4) - 4);
    const size_t at = request.find("Range: ");
    const std::string range =
        at == std::string::npos ? "" : request.substr(at + 7, request.find('\r', at) - at - 7);
    const std::lock_guard lock(guard_);
    requests_.push_back(range.empty() ? path : path + " " + range);
    const auto page = pages_.find(path);
    if (page == pages_.end()) return send(connection, "404 Not Found", "");
    std::string body = page->second.body, status = "200 OK";
    if (!range.empty() && page->second.ranges) {
      const size_t begin = std::stoul(range.substr(range.find('=') + 1));
      if (begin >= body.size()) return send(connection, "416 Range Not Satisfiable", "");
      body = body.substr(begin);
      status = "206 Partial Content";
    }
    send(connection, status, body, page->second.break_after);
    page->second.break_after = 0;
  }

  static void send(int connection, const std::string& status, const std::string& body,
                   size_t break_after = 0) {
    const std::string sent = break_after > 0 ? body.substr(0, break_after) : body;
    const std::string text = "HTTP/1.1 " + status + "\r\nConnection: close\r\nContent-Length: " +
                             std::to_string(body.size()) + "\r\n\r\n" + sent;
    size_t done = 0;
    while (done < text.size()) {
      const ssize_t count =
          ::send(connection, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (count <= 0) return;
      done += static_cast<size_t>(count);
    }
  }

  std::map<std::string, Page> pages_;
  int socket_ = -1;
  int port_ = 0;
  std::mutex guard_;
  std::vector<std::string> requests_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace fovea
