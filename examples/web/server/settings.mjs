// Where the three servers listen and keep their data. The environment can set the ports and DATA.
import { resolve } from "node:path";

export const host = "127.0.0.1"; // in every address: to a browser localhost is another host
const { API_PORT = 8000, AUTH_PORT = 3000, PAGE_PORT = 5173, DATA = "data" } = process.env;
export const ports = { API_PORT, AUTH_PORT, PAGE_PORT };
const at = (port) => `http://${host}:${port}`;
export const urls = { api: at(API_PORT), auth: at(AUTH_PORT), page: at(PAGE_PORT) };
export const data = resolve(import.meta.dirname, "..", DATA);
