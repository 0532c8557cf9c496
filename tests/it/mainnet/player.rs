//! Plays a node on loopback: offers one template, and keeps the block that is made of it.
//!
//! It speaks JSON-RPC as far as a pool asks of a node. A player is no judge of
//! blocks; whoever starts it judges what it took.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bitcoin::{Block, BlockHash};
use serde_json::{Value, json};

use super::offer::Offer;

/// A node that is played; ends when dropped.
pub struct Player {
    pub address: SocketAddr,
    stage: Arc<Stage>,
}

struct Stage {
    offer: Offer,
    template: Value,
    /// The block that was submitted, and whether the play is over.
    taken: Mutex<(Option<Block>, bool)>,
    news: Condvar,
}

impl Player {
    pub fn start(offer: Offer) -> Self {
        let template = offer.to_json();
        let stage = Arc::new(Stage { offer, template, taken: Mutex::default(), news: Condvar::new() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let on_stage = stage.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if on_stage.taken.lock().unwrap().1 {
                    return;
                }
                let stage = on_stage.clone();
                std::thread::spawn(move || stage.serve(&stream.unwrap()));
            }
        });
        Self { address, stage }
    }

    /// The block that was submitted, if there is one yet.
    pub fn taken(&self) -> Option<Block> {
        self.stage.taken.lock().unwrap().0.clone()
    }

    /// What was offered.
    pub fn offer(&self) -> &Offer {
        &self.stage.offer
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stage.taken.lock().unwrap().1 = true;
        self.stage.news.notify_all();
        // So that the listener sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl Stage {
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        // Ends when the pool hangs up.
        while let Some(request) = read(&mut reader) {
            let (result, error) = match self.answer(&request) {
                Ok(result) => (result, Value::Null),
                Err((code, message)) => (Value::Null, json!({ "code": code, "message": message })),
            };
            let body = json!({ "result": result, "error": error, "id": request["id"] }).to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let mut stream = stream;
            if stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Value) -> Result<Value, (i64, &'static str)> {
        let params = &request["params"];
        Ok(match request["method"].as_str().expect("a method") {
            "getblockchaininfo" => json!({ "chain": self.offer.network.to_core_arg() }),
            "getblockhash" if params[0] == 0 => {
                json!(bitcoin::constants::genesis_block(self.offer.network).block_hash().to_string())
            }
            "getbestblockhash" => json!(self.best().to_string()),
            "getblockheader" => return self.header(&params[0]),
            "getblocktemplate" if params[0]["longpollid"].is_string() => {
                let taken = self.taken.lock().unwrap();
                let quiet = |(block, over): &mut (Option<Block>, bool)| block.is_none() && !*over;
                drop(self.news.wait_while(taken, quiet).unwrap());
                self.template()
            }
            "getblocktemplate" => self.template(),
            "submitblock" => {
                let block =
                    bitcoin::consensus::encode::deserialize_hex(params[0].as_str().expect("hexadecimal"));
                let Ok(block) = block else { return Err((-22, "Block decode failed")) };
                let mut taken = self.taken.lock().unwrap();
                if taken.0.is_some() {
                    return Ok(json!("inconclusive"));
                }
                taken.0 = Some(block);
                self.news.notify_all();
                Value::Null
            }
            _ => return Err((-32601, "Method not found")),
        })
    }

    fn best(&self) -> BlockHash {
        self.taken.lock().unwrap().0.as_ref().map_or(self.offer.prev_hash, Block::block_hash)
    }

    fn header(&self, hash: &Value) -> Result<Value, (i64, &'static str)> {
        let offer = &self.offer;
        let taken = self.taken.lock().unwrap();
        let own = taken.0.as_ref().filter(|block| *hash == block.block_hash().to_string());
        let (height, time) = match own {
            Some(block) => (offer.height, block.header.time),
            None if *hash == offer.prev_hash.to_string() => (offer.height - 1, offer.time_min),
            None => return Err((-5, "Block not found")),
        };
        Ok(json!({
            "hash": hash,
            "height": height,
            "time": time,
            "mediantime": offer.time_min - 1,
            "bits": format!("{:08x}", offer.bits.to_consensus()),
            "chainwork": format!("{height:064x}"),
            "confirmations": 1,
        }))
    }

    /// The template, or once it was made into a block an empty one upon that.
    fn template(&self) -> Value {
        let taken = self.taken.lock().unwrap();
        let Some(block) = &taken.0 else { return self.template.clone() };
        let next = Offer {
            height: self.offer.height + 1,
            prev_hash: block.block_hash(),
            time: block.header.time + 1,
            coinbase_value: self.offer.subsidy(),
            transactions: Vec::new(),
            ..self.offer.clone()
        };
        next.to_json()
    }
}

/// The JSON of the next request; `None` when there is none.
fn read(reader: &mut BufReader<&TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(serde_json::from_slice(&body).expect("JSON"))
}

/// How long a rehearsal may take on any machine.
pub const PATIENCE: Duration = Duration::from_secs(120);
