// What the benchmarks call in their page.
import { generators } from './keygen.js';

window.bench = { generators };
