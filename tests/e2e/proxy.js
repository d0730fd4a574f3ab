// Stands between browser and gateway: keeps every byte that crossed, and can lose or exchange answers.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

/** Forwards bytes as they are, and keeps them. */
export class Recorder {
    static async start(target) {
        const recorder = new Recorder();
        const { hostname, port } = new URL(target);
        recorder.bytes = [];
        recorder.sockets = new Set();
        recorder.server = net.createServer((client) => {
            const server = net.connect(Number(port), hostname);
            for (const [from, to] of [[client, server], [server, client]]) {
                recorder.sockets.add(from);
                from.on('data', (chunk) => recorder.bytes.push(Buffer.from(chunk)));
                from.on('error', () => to.destroy());
                from.on('close', () => recorder.sockets.delete(from));
                from.pipe(to);
            }
        });
        recorder.server.listen(0, '127.0.0.1');
        await once(recorder.server, 'listening');
        recorder.url = `http://127.0.0.1:${recorder.server.address().port}/`;
        return recorder;
    }

    all() {
        return Buffer.concat(this.bytes);
    }

    async stop() {
        for (const socket of this.sockets) socket.destroy();
        this.server.close();
        await once(this.server, 'close');
    }
}

/** Forwards requests; `rules` change what happens to some of them. */
export class Interceptor {
    static async start(target) {
        const interceptor = new Interceptor();
        interceptor.reset();
        interceptor.server = http.createServer(async (request, response) => {
            const chunks = [];
            for await (const chunk of request) chunks.push(chunk);
            interceptor.requests.push(`${request.method} ${request.url}`);
            const rule = interceptor.rules.map((rule) => rule(request)).find(Boolean) ?? {};
            if (rule.hang) return;
            if (rule.body) {
                const { status = 200, type = 'application/json', headers = {}, body } = rule;
                response.writeHead(status, { 'content-type': type, ...headers });
                response.end(body);
                return;
            }
            const { hostname, port } = new URL(target);
            const options = { hostname, port, method: request.method, path: rule.path ?? request.url, headers: request.headers };
            const forwarded = http.request(options, (answer) => {
                if (rule.lose) {
                    answer.resume();
                    answer.on('end', () => request.socket.destroy());
                    return;
                }
                interceptor.onAnswer(request, answer);
                response.writeHead(answer.statusCode, answer.headers);
                answer.pipe(response);
            });
            forwarded.on('error', () => request.socket.destroy());
            forwarded.end(Buffer.concat(chunks));
        });
        interceptor.server.listen(0, '127.0.0.1');
        await once(interceptor.server, 'listening');
        interceptor.at = (path) => new URL(path, interceptor.url).href;
        interceptor.url = `http://127.0.0.1:${interceptor.server.address().port}/`;
        return interceptor;
    }

    /** Forgets the rules, and the requests that it has seen. */
    reset() {
        /**
         * Each rule takes {method, url} and gives undefined, {lose: true}, {hang: true} for no answer at all, {path} to ask for instead, or
         * {body} to answer with, with its {status} and media {type}.
         */
        this.rules = [];
        /** Sees each request with its answer before that is forwarded, and may change the answer's headers. */
        this.onAnswer = () => {};
        /** The requests that came, as in "GET /". */
        this.requests = [];
    }

    async stop() {
        this.server.closeAllConnections();
        this.server.close();
        await once(this.server, 'close');
    }
}
