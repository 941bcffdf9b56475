//! A function's environment that dies at a chosen request, as a process dies: everything in it ends at once.
//!
//! The environment is a thread with a runtime of its own. When the gate of the local cloud shuts, the runtime is
//! dropped with every task, connection and buffer in it; nothing of it runs on. Promises that a death leaves only what
//! was stored elsewhere. Deliberately does not count the requests of a cold start: they change nothing.

use std::future::Future;

use local_cloud::{Call, Crash, Gate};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// How an environment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End<T> {
    /// The function answered.
    Answered(T),
    /// The environment died at this request.
    Died(Call),
}

/// Makes a function with `start` and gives it its work; the environment dies at the request that `death` counts from
/// the first one of the work.
pub async fn environment<F, S, H, T>(
    gate: &Gate,
    death: Option<(u64, Crash)>,
    start: impl FnOnce() -> S + Send + 'static,
    work: impl FnOnce(F) -> H + Send + 'static,
) -> End<T>
where
    S: Future<Output = F>,
    H: Future<Output = T>,
    T: Send + 'static,
{
    let (kill, killed) = oneshot::channel::<()>();
    let armed = gate.clone();
    let life = move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let answer = runtime.block_on(async {
            let function = start().await;
            if let Some((at, crash)) = death {
                armed.arm(at, crash);
            }
            tokio::select! {
                biased;
                _ = killed => None,
                answer = work(function) => Some(answer),
            }
        });
        // Whatever it had begun ends here, unfinished.
        runtime.shutdown_background();
        answer
    };
    let mut life = tokio::task::spawn_blocking(move || {
        // Not on a thread of the caller's runtime: a runtime may not start inside another.
        std::thread::spawn(life).join()
    });
    let died = tokio::select! {
        call = gate.shut() => Some(call),
        answer = &mut life => {
            gate.open();
            let answer = answer.unwrap().expect("the function does not panic");
            return End::Answered(answer.expect("nobody killed it"));
        }
    };
    kill.send(()).ok();
    life.await.unwrap().expect("the function does not panic");
    gate.open();
    End::Died(died.expect("the gate says where it shut"))
}

#[cfg(test)]
mod tests {
    use local_cloud::Crash;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;
    use crate::Stage;

    /// Puts three items, the second from a task that nobody waits for.
    async fn three(endpoint: String) {
        let put = |n: u8| {
            let endpoint = endpoint.clone();
            async move {
                let host = endpoint.trim_start_matches("http://").to_owned();
                let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
                let request =
                    format!("GET /{n} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
            }
        };
        put(1).await;
        tokio::spawn(put(2));
        std::future::pending::<()>().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_environment_dies_with_its_tasks_and_another_one_can_follow() {
        let stage = Stage::empty().await;
        let gate = stage.cloud().gate();
        let url = stage.cloud().endpoint(local_cloud::Service::Kms);
        let start = move || async move { url };
        let end = environment(&gate, Some((2, Crash::Before)), start, three).await;
        let End::Died(call) = end else {
            panic!("it lives")
        };
        assert_eq!(call.service, "Kms");
        assert_eq!(gate.seen(), 2);
        let answer = environment(
            &gate,
            Some((1, Crash::Before)),
            || async { 7 },
            |n| async move { n + 1 },
        );
        assert_eq!(
            answer.await,
            End::Answered(8),
            "what makes no request does not die"
        );
    }
}
