import smtplib

import aio_pika
import asyncpg


async def test_all(amqp_url, database_url, smtp, vhost, make_database):
    c = await asyncpg.connect(database_url)
    assert await c.fetchval("select 1") == 1
    await c.close()
    q = await aio_pika.connect(amqp_url)
    ch = await q.channel()
    await ch.declare_queue("x")
    await q.close()
    with smtplib.SMTP(smtp.host, smtp.port) as s:
        s.sendmail("a@b.test", ["c@d.test"], "Subject: x\r\nMessage-ID: <1@b>\r\n\r\nhello\r\n")
    assert smtp.messages()[0].message_id == "<1@b>"


def test_kill(private_rabbitmq, private_postgres):
    print(private_rabbitmq.ctl("status")[:100])
    private_rabbitmq.kill()
    private_postgres.kill()
    private_rabbitmq.start()
    private_postgres.start()
