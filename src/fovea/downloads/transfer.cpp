#include "fovea/downloads/transfer.h"

#include <fmt/format.h>

#include <curl/curl.h>

#include <exception>
#include <memory>

#include "fovea/core/error.h"

namespace fovea {
namespace {

constexpr int64_t largest_download = int64_t{8} << 30;

/// What libcurl's callbacks share.
struct Session {
  const Transfer& transfer;
  const DownloadOptions& options;
  CURL* curl;
  int64_t have;  ///< bytes in the file
  bool begun = false;
  bool too_long = false;
  std::exception_ptr failure = {};

  int64_t limit() const { return transfer.bytes.value_or(largest_download); }

  /// Before the first byte: whether the server continues the file or begins anew.
  void begin() {
    begun = true;
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
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

void set_options(CURL* curl, const Transfer& transfer, Session& session, char* message) {
  curl_easy_setopt(curl, CURLOPT_URL, transfer.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "fovea");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 30L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);  // bytes per second,
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);  // for so long
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &session);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &session);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (transfer.begin > 0)
    curl_easy_setopt(curl, CURLOPT_RANGE, (std::to_string(transfer.begin) + "-").c_str());
}

}  // namespace

bool can_download() { return true; }

void transfer(const Transfer& transfer, const DownloadOptions& options) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) throw Error(ErrorKind::memory, "cannot allocate memory for a download");
  Session session{
      .transfer = transfer, .options = options, .curl = curl.get(), .have = transfer.begin};
  char message[CURL_ERROR_SIZE] = {};
  set_options(curl.get(), transfer, session, message);
  const CURLcode code = curl_easy_perform(curl.get());
  if (session.failure) std::rethrow_exception(session.failure);
  if (options.stop.stop_requested())
    throw Error(ErrorKind::data, "the download was stopped; the same command continues it");
  if (session.too_long) {
    transfer.restart();
    throw Error(ErrorKind::data, "the server sends more than the published file has")
        .with("expected", fmt::format("{} bytes", session.limit()));
  }
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 416) return;  // nothing is left to send: the checksum tells whether it is complete
  if (code != CURLE_OK) {
    const char* reason = message[0] != '\0' ? message : curl_easy_strerror(code);
    throw Error(ErrorKind::data, std::string("the download failed: ") + reason);
  }
}

}  // namespace fovea
