#include "signals.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>
#include <thread>

namespace fovea::cli {
namespace {

std::atomic<int> received = 0;
std::atomic<bool> graceful = false;

std::stop_source& source() {
  static std::stop_source only;
  return only;
}

/// Waits for signals on its own thread, where, unlike in a handler, any function may be called.
void watch(sigset_t signals) {
  using Clock = std::chrono::steady_clock;
  // Some senders, such as `timeout`, signal a process and then its group: that is one request.
  constexpr auto same_request = std::chrono::milliseconds(300);
  Clock::time_point first;
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (received != 0 && Clock::now() - first < same_request) continue;
    if (!graceful || received != 0) _exit(128 + signal);
    first = Clock::now();
    received = signal;
    source().request_stop();
  }
}

}  // namespace

void keep_standard_descriptors() {
  for (int number : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(number, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this one. Opened the wrong way, so that using it is an error.
    (void)open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

bool watch_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  struct sigaction hangup {};
  if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) {
    sigaddset(&signals, SIGHUP);
  }
  // Threads inherit the mask: none of them is interrupted, and the watcher gets every signal.
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  source();
  try {
    std::thread(watch, signals).detach();
    return true;
  } catch (const std::system_error&) {
    pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    return false;
  }
}

std::stop_token finish_first() {
  graceful = true;
  return stop_token();
}

std::stop_token stop_token() { return source().get_token(); }

int signal_received() { return received; }

}  // namespace fovea::cli
