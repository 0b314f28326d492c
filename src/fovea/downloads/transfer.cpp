#include "fovea/downloads/transfer.h"

#include <fmt/format.h>

#include <curl/curl.h>
#include <dlfcn.h>

#include <exception>
#include <memory>

#include "fovea/core/error.h"

namespace fovea {
namespace {

constexpr int64_t largest_download = int64_t{8} << 30;

/// The functions of libcurl, whose binary interface has kept this name since 2006. It is loaded for
/// the first transfer: with the thirty libraries that it needs, it took a third of the time to
/// start a program that may never download anything.
struct Curl {
  decltype(&curl_easy_init) init;
  decltype(&curl_easy_setopt) set;
  decltype(&curl_easy_perform) perform;
  decltype(&curl_easy_getinfo) get;
  decltype(&curl_easy_strerror) text;
  decltype(&curl_easy_cleanup) cleanup;
};

std::optional<Curl> load() {
  void* library = ::dlopen("libcurl.so.4", RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) return std::nullopt;
  bool complete = true;
  const auto find = [&]<class F>(F& function, const char* name) {
    function = reinterpret_cast<F>(::dlsym(library, name));
    complete = complete && function != nullptr;
  };
  Curl c{};
  find(c.init, "curl_easy_init");
  find(c.set, "curl_easy_setopt");
  find(c.perform, "curl_easy_perform");
  find(c.get, "curl_easy_getinfo");
  find(c.text, "curl_easy_strerror");
  find(c.cleanup, "curl_easy_cleanup");
  return complete ? std::optional(c) : std::nullopt;
}

/// Null where it is not installed.
const Curl* libcurl() {
  static const std::optional<Curl> loaded = load();
  return loaded ? &*loaded : nullptr;
}

/// What libcurl's callbacks share.
struct Session {
  const Transfer& transfer;
  const DownloadOptions& options;
  const Curl& curl;
  CURL* handle;
  int64_t have;  ///< bytes in the file
  bool begun = false;
  bool too_long = false;
  std::exception_ptr failure = {};

  int64_t limit() const { return transfer.bytes.value_or(largest_download); }

  /// Before the first byte: whether the server continues the file or begins anew.
  void begin() {
    begun = true;
    long status = 0;
    curl.get(handle, CURLINFO_RESPONSE_CODE, &status);
    if (have == 0 || status == 206) return;
    transfer.restart();
    have = 0;
  }

  bool append(std::span<const std::byte> bytes) {
    try {
      if (!begun) begin();
      too_long = static_cast<int64_t>(bytes.size()) > limit() - have;
      if (too_long) return false;
      transfer.append(bytes);
      have += static_cast<int64_t>(bytes.size());
      return true;
    } catch (...) {  // must not pass through libcurl
      failure = std::current_exception();
      return false;
    }
  }
};

size_t on_bytes(char* data, size_t size, size_t count, void* session) {
  const std::span<const char> bytes(data, size * count);
  return static_cast<Session*>(session)->append(std::as_bytes(bytes)) ? bytes.size() : 0;
}

int on_progress(void* given, curl_off_t total, curl_off_t, curl_off_t, curl_off_t) {
  auto& session = *static_cast<Session*>(given);
  try {
    std::optional<int64_t> all = session.transfer.bytes;
    if (!all && total > 0 && session.begun) all = session.transfer.begin + int64_t{total};
    if (session.options.progress) session.options.progress(session.have, all);
  } catch (...) {
    session.failure = std::current_exception();
  }
  return session.failure || session.options.stop.stop_requested() ? 1 : 0;
}

void set_options(const Transfer& transfer, Session& session, char* message) {
  const auto set = [&](CURLoption option, auto value) {
    session.curl.set(session.handle, option, value);
  };
  set(CURLOPT_URL, transfer.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, 5L);
  set(CURLOPT_FAILONERROR, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_USERAGENT, "fovea");
  set(CURLOPT_CONNECTTIMEOUT, 30L);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes per second,
  set(CURLOPT_LOW_SPEED_TIME, 60L);  // for so long
  set(CURLOPT_ERRORBUFFER, message);
  set(CURLOPT_WRITEFUNCTION, on_bytes);
  set(CURLOPT_WRITEDATA, &session);
  set(CURLOPT_XFERINFOFUNCTION, on_progress);
  set(CURLOPT_XFERINFODATA, &session);
  set(CURLOPT_NOPROGRESS, 0L);
  if (transfer.begin > 0) set(CURLOPT_RANGE, (std::to_string(transfer.begin) + "-").c_str());
}

}  // namespace

bool can_download() { return libcurl() != nullptr; }

void transfer(const Transfer& transfer, const DownloadOptions& options) {
  const Curl* curl = libcurl();
  require(curl != nullptr, "nothing can download");
  const std::unique_ptr<CURL, decltype(curl->cleanup)> handle(curl->init(), curl->cleanup);
  if (!handle) throw Error(ErrorKind::memory, "cannot allocate memory for a download");
  Session session{.transfer = transfer,
                  .options = options,
                  .curl = *curl,
                  .handle = handle.get(),
                  .have = transfer.begin};
  char message[CURL_ERROR_SIZE] = {};
  set_options(transfer, session, message);
  const CURLcode code = curl->perform(handle.get());
  if (session.failure) std::rethrow_exception(session.failure);
  if (options.stop.stop_requested())
    throw Error(ErrorKind::data, "the download was stopped; the same command continues it");
  if (session.too_long) {
    transfer.restart();
    throw Error(ErrorKind::data, "the server sends more than the published file has")
        .with("expected", fmt::format("{} bytes", session.limit()));
  }
  long status = 0;
  curl->get(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 416) return;  // nothing is left to send: the checksum tells whether it is complete
  if (code != CURLE_OK) {
    const char* reason = message[0] != '\0' ? message : curl->text(code);
    throw Error(ErrorKind::data, std::string("the download failed: ") + reason);
  }
}

}  // namespace fovea
