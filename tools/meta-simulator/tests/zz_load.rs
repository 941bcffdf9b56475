#![allow(warnings, clippy::all, clippy::pedantic)]
mod support;
use meta_simulator::*;
use std::sync::Arc;
use std::time::*;
use support::*;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
#[tokio::test]
async fn load() {
    let numbers = vec![Number {
        id: NUMBER.to_owned(),
        display_phone: "+16135550100".to_owned(),
        per_second: 1000,
    }];
    let s = Simulator::start(Options {
        numbers,
        latency: Latency {
            min_ms: 30,
            max_ms: 120,
        },
        status_batch_ms: 200,
        read_share: 0.6,
        ..options()
    })
    .await
    .unwrap();
    let w = Webhook::start(&s).await;
    let c = Arc::new(Caller::of(&s));
    let c0 = cpu();
    let t0 = Instant::now();
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let mut hs = vec![];
    for i in 0..500u32 {
        tick.tick().await;
        for k in 0..8u32 {
            let c = c.clone();
            hs.push(tokio::spawn(async move {
                c.code(&reminder(
                    &format!("+1613{:07}", i * 8 + k),
                    "op-1234567890",
                ))
                .await
            }));
        }
    }
    let mut bad = 0;
    for h in hs {
        if h.await.unwrap() != 0 {
            bad += 1
        }
    }
    println!(
        "wall {:?} cpu {} bad {bad} most {}",
        t0.elapsed(),
        cpu() - c0,
        s.worst_window().most()
    );
    until(async || s.settled().await).await;
    println!(
        "cpu total {} posts {} biggest {}",
        cpu() - c0,
        w.posts().len(),
        w.posts().iter().map(|p| p.body.len()).max().unwrap()
    );
}
