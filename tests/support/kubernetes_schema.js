/*
 * Holds objects against the schemas of Kubernetes and of the operators whose objects
 * we use, as the npm packages kubernetes-models and @kubernetes-models/... have them.
 *
 *     node kubernetes_schema.js NODE_MODULES <objects.json
 *
 * Prints a JSON list with one line for each fault. These schemas allow fields that
 * they do not name, so a field that the check never looked at is a fault of its own.
 *
 * SPDX-License-Identifier: MIT
 */
"use strict";

const fs = require("fs");
const path = require("path");

const modules = path.resolve(process.argv[2]);

function packages() {
	const scope = path.join(modules, "@kubernetes-models");
	return [path.join(modules, "kubernetes-models"),
		...fs.readdirSync(scope).map((name) => path.join(scope, name))];
}

/* The compiled schema that the model of this kind names. */
function schemaOf(object) {
	for (const directory of packages()) {
		const model = path.join(directory, object.apiVersion,
			`${object.kind}.js`);
		if (fs.existsSync(model)) {
			const name = /_schemas\/(\w+)/.exec(
				fs.readFileSync(model, "utf8"))[1];
			return require(path.join(directory, "_schemas", name)).validate;
		}
	}
	return null;
}

/* The same value, noting what is read of it. */
function watched(value, at, seen) {
	if (value === null || typeof value !== "object") {
		return value;
	}
	return new Proxy(value, {
		get(target, key) {
			if (typeof key === "string" && Object.hasOwn(target, key)) {
				seen.add(`${at}/${key}`);
				return watched(target[key], `${at}/${key}`, seen);
			}
			return target[key];
		},
	});
}

function unseen(value, at, seen) {
	if (value === null || typeof value !== "object") {
		return [];
	}
	return Object.keys(value).flatMap((key) => seen.has(`${at}/${key}`) ?
		unseen(value[key], `${at}/${key}`, seen) : [`${at}/${key}`]);
}

function faultsOf(object) {
	const name = `${object.kind} ${object.metadata.name}`;
	const validate = schemaOf(object);
	if (validate === null) {
		return [`${name}: there is no ${object.apiVersion} ${object.kind}`];
	}
	const seen = new Set();
	validate(watched(object, "", seen));
	return [
		...(validate.errors || []).map((error) => `${name}: ` +
			`${error.instancePath} ${error.keyword} ` +
			JSON.stringify(error.params)),
		...unseen(object, "", seen).map((field) =>
			`${name}: ${field} is no field`),
	];
}

const objects = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(objects.flatMap(faultsOf)));
