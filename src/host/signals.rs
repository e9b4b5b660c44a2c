//! SIGTERM and Ctrl-C ask the runner to stop after the calls in flight.

use super::world::Waker;

/// Watches for signals on a thread of its own; the first one stops the runner.
pub fn stop_on_signal(waker: Waker) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        // Without a runtime signals keep their default: the process ends, which is safe too.
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            #[cfg(unix)]
            {
                use tokio::signal::unix::{SignalKind, signal};
                let Ok(mut terminate) = signal(SignalKind::terminate()) else {
                    return;
                };
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = tokio::signal::ctrl_c() => {}
                }
            }
            #[cfg(not(unix))]
            if tokio::signal::ctrl_c().await.is_err() {
                return;
            }
            waker.stop();
        });
    });
}
