// The delivered workers, spoken to as the page does (src/browser/worker_client.rs, src/browser/prime_searchers.rs, crates/core/src/protocol.rs): one key
// maker a job, and those that search for primes on its behalf.
const STAGES = ['GeneratingKeyPair', 'SigningRequest', 'EncryptingKey'];

/** The stage that a Progress message names, whatever else it tells. */
const stageIn = (content) => STAGES.find((stage) => JSON.stringify(content).includes(`"${stage}"`));

const start = (name) => new Worker(document.querySelector('link[rel=worker][title=worker]').href, { type: 'module', name });

/** A worker that has started. */
export class KeysideWorker {
    #worker;
    #searchers = [];
    #answers = [];
    #wake = () => {};

    constructor(role) {
        this.#worker = start(role);
    }

    /**
     * Starts one that makes keys, and those that search for it, by the name `search`; `startMilliseconds` is the time from `new Worker` to Ready,
     * `areFused` is true once a searcher has said that it tests primes with fused multiply-add.
     */
    static async startKeyMaker(search = 'prime search') {
        const running = await KeysideWorker.start('key maker');
        running.#searchers = Array.from({ length: Math.min(navigator.hardwareConcurrency, 8) }, () => running.#searcher(search));
        return running;
    }

    areFused = false;

    /** Has the key maker do this ahead of its job. */
    ahead(ahead) {
        this.#post({ Ahead: { key_size: null, passphrase: null, ...ahead } });
    }

    #post(order) {
        const bytes = new TextEncoder().encode(JSON.stringify(order));
        this.#worker.postMessage(bytes, [bytes.buffer]);
    }

    /** Starts one for any other job. */
    static async start(role = 'custodian') {
        const started = performance.now();
        const running = new KeysideWorker(role);
        running.#worker.onmessage = ({ data }) => running.#take({ at: performance.now(), data });
        running.#worker.onerror = (event) => running.#take({ error: event.message ?? 'the worker could not be loaded' });
        const { at, name } = await running.#next();
        // The first message is the struct Ready.
        if (name !== 'build') throw new Error(`the worker began with ${name}`);
        running.startMilliseconds = at - started;
        return running;
    }

    /** A worker that searches for primes, connected with the key maker once it listens. */
    #searcher(name) {
        const searcher = start(name);
        searcher.onmessage = ({ data }) => {
            this.areFused = data;
            const { port1, port2 } = new MessageChannel();
            searcher.postMessage(port1, [port1]);
            this.#worker.postMessage(port2, [port2]);
        };
        return searcher;
    }

    #take(answer) {
        this.#answers.push(answer);
        this.#wake();
    }

    /** The next answer: when it came, what it is called, and what is in it. */
    async #next() {
        while (this.#answers.length === 0) await new Promise((resolve) => (this.#wake = resolve));
        const { at, data, error } = this.#answers.shift();
        if (error) throw new Error(error);
        const answer = JSON.parse(new TextDecoder().decode(data));
        const [name, content] = typeof answer === 'string' ? [answer] : Object.entries(answer)[0];
        return { at, name, content };
    }

    /**
     * Does `job` and ends the workers. Gives the final answer, the milliseconds that the whole took, and the time at which each
     * stage began, counted from the start of the job.
     */
    async do(job) {
        const started = performance.now();
        this.#post(job);
        const stages = {};
        try {
            for (;;) {
                const { at, name, content } = await this.#next();
                if (name !== 'Progress') return { name, content, milliseconds: at - started, stages };
                stages[stageIn(content)] ??= at - started;
            }
        } finally {
            for (const worker of [this.#worker, ...this.#searchers]) worker.terminate();
        }
    }
}

export const PASSPHRASE = 'Correct-4-horse!';

/** CN=Ada Example, OU=Participants & External Users, O=Example Grid Operator, C=US: an X.501 Name, DER. */
const SUBJECT =
    'MGsxCzAJBgNVBAYTAlVTMR4wHAYDVQQKDBVFeGFtcGxlIEdyaWQgT3BlcmF0b3IxJjAkBgNVBAsMHVBhcnRpY2lwYW50cyAmIEV4dGVybmFsIFVzZXJzMRQwEgYDVQQDDAtBZGEgRXhhbXBsZQ==';

/** A job that makes a key pair. */
export const generate = (bits) => ({
    Generate: {
        key_size: bits,
        subject: SUBJECT,
        email_address: 'ada@example.com',
        passphrase: PASSPHRASE,
    },
});
