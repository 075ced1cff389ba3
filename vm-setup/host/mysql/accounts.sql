-- An expired password would be an outage by the calendar; `rotate` changes them, and the audit tells
-- when one is older than a year. They are random, so none is used again but the one that it has.
ALTER USER app@'@FROM@', migrator@'@FROM@', exporter@'@FROM@'
  PASSWORD EXPIRE NEVER PASSWORD HISTORY 0 PASSWORD REUSE INTERVAL 0 DAY;
ALTER USER migrator@'@FROM@' WITH MAX_USER_CONNECTIONS 6;

CREATE USER IF NOT EXISTS backup@localhost IDENTIFIED WITH auth_socket AS 'root' WITH MAX_USER_CONNECTIONS 3;
GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON clinic.* TO backup@localhost;
GRANT RELOAD, PROCESS, REPLICATION CLIENT, SHOW_ROUTINE ON *.* TO backup@localhost;
